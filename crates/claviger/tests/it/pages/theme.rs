//! The product's colours and logo, and what is served to every page.

use super::*;
use crate::harness::chromium::nothing_was_blocked;
use crate::harness::world::refused;

#[tokio::test]
async fn the_products_colours_and_logo_are_on_every_page() {
    let Some(window) = window("en").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo.svg");
    let picture_of = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 80 28'><script>document.title = 'ran'</script>\
                      <rect width='80' height='28' fill='#7a2048'/></svg>";
    std::fs::write(&logo, picture_of).unwrap();
    let lines = format!(
        "[portal.theme]\nlogo = \"{}\"\n[portal.theme.light]\naccent = \"#7A2048\"\n\
         [portal.theme.dark]\naccent = \"#f0b0c8\"\naccent_ink = \"#201018\"\n",
        logo.display()
    );
    let world = World::configured(&lines).await;
    world.connect().await;
    for (dark, colour) in [(false, "rgb(122, 32, 72)"), (true, "rgb(240, 176, 200)")] {
        shape(&window, 390, dark).await;
        window.goto(link(&world, &json!({})).await).await.unwrap();
        let next = window.query(By::Css(".advance button:enabled")).first().await.unwrap();
        let shown = next.css_value("background-color").await.unwrap();
        let rgb = shown.replace("rgba", "rgb").replace(", 1)", ")");
        assert_eq!(rgb, colour);
        let image = window.query(By::Css("header img")).first().await.unwrap();
        assert_eq!(image.attr("alt").await.unwrap().as_deref(), Some("Claviger"));
        let size =
            window.execute("return document.querySelector('header img').naturalWidth", Vec::new()).await;
        assert!(size.unwrap().json().as_u64().unwrap() > 0, "the logo is shown");
        picture(&window, &format!("theme-390-{}", if dark { "dark" } else { "light" })).await;
    }
    nothing_was_blocked(&window).await;
    // By itself, too, it runs nothing.
    let address =
        window.query(By::Css("header img")).first().await.unwrap().prop("src").await.unwrap().unwrap();
    window.goto(&address).await.unwrap();
    assert_ne!(window.title().await.unwrap(), "ran");
    window.quit().await.unwrap();
}

#[tokio::test]
async fn assets_are_kept_under_their_version_and_name_what_they_are() {
    let world = World::configured("[portal.theme.light]\naccent = \"#123456\"\n").await;
    let browser = visitor(&world, &json!({})).await;
    let page = browser.get(world.path("/portal/onboarding")).await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let version = page.body.split("claviger.css?v=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (name, media_type, content) in [
        ("claviger.css", "text/css", ":root"),
        ("claviger.js", "text/javascript", "addEventListener"),
        ("theme.css", "text/css", "--accent: #123456;"),
    ] {
        assert!(page.body.contains(&format!("/assets/{name}?v={version}")), "{name}: {}", page.body);
        let asset = browser.get(world.path(&format!("/assets/{name}?v={version}"))).await.expect(200);
        assert!(
            asset.header("content-type").starts_with(media_type) && asset.body.contains(content),
            "{asset:?}"
        );
        assert!(asset.header("cache-control").contains("immutable"), "{asset:?}");
        let other = browser.get(world.path(&format!("/assets/{name}?v=other"))).await.expect(200);
        assert!(!other.header("cache-control").contains("immutable"), "{other:?}");
    }
    browser.get(world.path("/assets/logo")).await.expect(404);
    let plain = World::on_sqlite().await;
    Browser::new().get(plain.path("/assets/theme.css")).await.expect(404);
}

#[test]
fn a_theme_that_could_not_be_seen_or_is_none_stops_the_start_and_says_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        format!("[portal.theme]\nlogo = \"{}\"\n", path.display())
    };
    let large = [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 65_536]].concat();
    for (lines, parts) in [
        (
            "[portal.theme.light]\naccent = \"blue\"\n".to_owned(),
            &["portal.theme.light.accent", "no colour", "#2a4a93"][..],
        ),
        ("[portal.theme.light]\naccent = \"#fff\"\n".to_owned(), &["no colour"]),
        ("[portal.theme.light]\naccent = \"#ffffé\"\n".to_owned(), &["no colour"]),
        // White on it, and it on the ground: both are told with their numbers.
        ("[portal.theme.light]\naccent = \"#aabbcc\"\n".to_owned(), &["accent_ink", "1.96:1", "4.5:1"]),
        (
            "[portal.theme.light]\naccent = \"#aabbcc\"\naccent_ink = \"#000000\"\n".to_owned(),
            &["portal.theme.light.accent", "1.86:1", "4.5:1", "darker"],
        ),
        // Enough for an edge, not for a link.
        (
            "[portal.theme.light]\naccent = \"#808080\"\naccent_ink = \"#000000\"\n".to_owned(),
            &["portal.theme.light.accent", "3.75:1", "4.5:1"],
        ),
        ("[portal.theme.dark]\naccent = \"#201010\"\n".to_owned(), &["portal.theme.dark.accent"]),
        ("[portal.theme.dark]\naccent_ink = \"url(x)\"\n".to_owned(), &["portal.theme.dark.accent_ink"]),
        (
            "[portal.theme]\nlogo = \"/nowhere/logo.svg\"\n".to_owned(),
            &["portal.theme.logo", "/nowhere/logo.svg"],
        ),
        (file("page.svg", b"<html></html>"), &["neither PNG nor SVG"]),
        (file("large.png", &large), &["65536"]),
        (
            "[portal]\ncoming_soon = [\"nothing\"]\n".to_owned(),
            &["portal.coming_soon", "nothing", "docs/catalog.md"],
        ),
        ("[portal]\ncoming_soon = [\"zoom\", \"zoom\"]\n".to_owned(), &["portal.coming_soon", "twice"]),
    ] {
        let error = refused(&lines);
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?} of {lines}");
        }
    }
    for good in [
        "[portal.theme.light]\naccent = \"#AA2255\"\n".to_owned(),
        file("mark.png", b"\x89PNG\r\n\x1a\nx"),
        "[portal]\ncoming_soon = [\"zoom\", \"zoho\", \"sandbox\"]\n".to_owned(),
    ] {
        assert_eq!(refused(&good), "", "{good}");
    }
}
