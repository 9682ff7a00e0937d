//! RFC 9728, OAuth 2.0 Protected Resource Metadata.

use axum::http::Method;
use serde_json::json;

use super::protect::Behind;
use super::rig::Rig;

const PATH: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn rfc9728_2_the_product_itself_is_a_resource() {
    let rig = Rig::new().await;
    let answer = rig.send(Method::GET, PATH, &[("origin", "https://spa.example")]).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let expected = json!({
        "resource": rig.world.url,
        "authorization_servers": [rig.world.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["openid", "profile", "email", "offline_access", "reports.read", "reports.write"],
    });
    assert_eq!(answer.json(), expected);
    rig.send(Method::OPTIONS, PATH, &[]).await.expect(204);
}

#[tokio::test]
async fn rfc9728_3_1_a_resource_with_a_path_has_its_document_below_the_well_known_path() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let document = rig.send(Method::GET, &format!("{PATH}/mcp"), &[]).await.expect(200).json();
    let expected = json!({
        "resource": rig.path("/mcp"),
        "authorization_servers": [rig.world.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["reports.read"],
    });
    assert_eq!(document, expected);
    // RFC 8414 §3.3: what it names as its authorization server says the same of itself.
    assert_eq!(rig.metadata().await["issuer"], document["authorization_servers"][0]);
    for path in ["/other", "/mcp/x", "/mcp/", "/", "/mcpx"] {
        rig.send(Method::GET, &format!("{PATH}{path}"), &[]).await.expect(404);
    }
    rig.send(Method::POST, &format!("{PATH}/mcp"), &[]).await.expect(405);
}

#[tokio::test]
async fn rfc9728_3_2_a_document_has_no_empty_lists() {
    let behind = Behind::new().await;
    let rig = behind.rig_of("scopes = []\n", "").await;
    let document = rig.send(Method::GET, &format!("{PATH}/mcp"), &[]).await.expect(200).json();
    assert_eq!(document.get("scopes_supported"), None);
}

#[tokio::test]
async fn rfc9728_5_1_the_challenge_names_the_document() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let refused = rig.send(Method::POST, "/mcp", &[]).await.expect(401);
    let challenge = refused.header("www-authenticate");
    let address = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(challenge.starts_with("Bearer resource_metadata="), "{challenge}");
    let path = address.strip_prefix(&rig.world.url).unwrap();
    let document = rig.send(Method::GET, path, &[]).await.expect(200).json();
    assert_eq!(document["resource"], rig.path("/mcp"));
}
