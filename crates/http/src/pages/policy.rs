//! What a page of ours may do in a browser: its Content Security Policy.

use axum::http::HeaderValue;
use model::RedirectUri;
use url::{Host, Url};

/// What every page may do. A page without scripts and styles of others has nothing that could be injected.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
                      frame-ancestors 'none'; form-action 'self'";

/// Where the forms of a page lead in the end. Browsers apply `form-action` to every redirect on the way, and providers
/// send people on between hosts of their own before they show a page, so a form that leads there can't name hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms<'a> {
    /// To us, if there are any.
    Ours,
    /// To a provider.
    Provider,
    /// To where an application's answer goes, and nowhere else.
    Application(&'a RedirectUri),
    /// To a provider where the person signs in, and, where they are signed in there already, at once on to where an
    /// application's answer goes.
    ProviderThenApplication(&'a RedirectUri),
}

impl Forms<'_> {
    /// The policy of a page with such forms.
    pub(super) fn policy(self) -> HeaderValue {
        let sources = match self {
            Self::Ours => None,
            Self::Provider => Some("https: http:".to_owned()),
            Self::Application(uri) => source(uri),
            Self::ProviderThenApplication(uri) => {
                Some(format!("https: http: {}", source(uri).unwrap_or_default()))
            }
        };
        let ours = HeaderValue::from_static(POLICY);
        sources.map_or(ours.clone(), |sources| {
            HeaderValue::try_from(format!("{POLICY} {}", sources.trim_end())).unwrap_or(ours)
        })
    }
}

/// The source expression that a redirect URI matches: its origin. Only its scheme where the grammar has no words for the
/// host (CSP Level 3 §2.3.1 knows letters, digits, hyphens and dots, so no IPv6 address), and where there is no host.
fn source(uri: &RedirectUri) -> Option<String> {
    let url = Url::parse(uri.as_str()).ok()?;
    let scheme = url.scheme();
    if !["https", "http"].contains(&scheme) {
        return Some(format!("{scheme}:"));
    }
    let is_word =
        |host: &str| host.split('.').all(|label| !label.is_empty() && label.bytes().all(is_host_char));
    let host = match url.host()? {
        Host::Domain(name) => Some(name.to_owned()).filter(|name| is_word(name)),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(_) => None,
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(host.map_or_else(|| format!("{scheme}:"), |host| format!("{scheme}://{host}{port}")))
}

const fn is_host_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes after `form-action 'self'`.
    fn allowed(forms: Forms<'_>) -> String {
        let policy = forms.policy();
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with(POLICY), "{policy}");
        policy[POLICY.len()..].trim().to_owned()
    }

    #[test]
    fn a_form_may_lead_to_the_origin_of_the_redirect_uri_and_nowhere_else() {
        for (uri, expected) in [
            ("https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/", "https://zapier.com"),
            ("https://App.Example.com:8443/cb?x=1", "https://app.example.com:8443"),
            ("https://app.example.com:443/cb", "https://app.example.com"),
            ("http://127.0.0.1:8976/callback", "http://127.0.0.1:8976"),
            ("http://localhost/callback", "http://localhost"),
            ("https://192.0.2.7/cb", "https://192.0.2.7"),
            // The grammar has no words for these hosts.
            ("http://[::1]:5/cb", "http:"),
            ("https://my_app.example.com/cb", "https:"),
            ("https://example.com./cb", "https:"),
            ("com.example.app:/oauth", "com.example.app:"),
            ("com.example.app://host/oauth", "com.example.app:"),
        ] {
            assert_eq!(allowed(Forms::Application(&uri.parse().unwrap())), expected, "{uri}");
        }
    }

    #[test]
    fn a_redirect_uri_adds_no_directive_and_no_wildcard() {
        for (uri, expected) in [
            ("https://a;script-src*.example.com/", "https:"),
            ("https://*.example.com/cb", "https:"),
            ("https://*/cb", "https:"),
            ("https://a,b/cb", "https:"),
            ("https://'unsafe-inline'/cb", "https:"),
            ("https://example.com;/cb", "https:"),
            ("https://example.com/;script-src,'none'", "https://example.com"),
            ("com.example.app:;script-src *,x".replace(' ', "").as_str(), "com.example.app:"),
        ] {
            assert_eq!(allowed(Forms::Application(&uri.parse().unwrap())), expected, "{uri}");
        }
        // What no browser would read as an address is let be.
        assert_eq!(allowed(Forms::Application(&"https://%zz/".parse().unwrap())), "");
    }

    #[test]
    fn whoever_signs_in_elsewhere_may_come_back_to_the_application_at_once() {
        let (web, native) = ("https://a.example/".parse().unwrap(), "com.example.app:/cb".parse().unwrap());
        assert_eq!(allowed(Forms::ProviderThenApplication(&native)), "https: http: com.example.app:");
        assert_eq!(allowed(Forms::ProviderThenApplication(&web)), "https: http: https://a.example");
        assert_eq!(allowed(Forms::Provider), "https: http:");
        assert_eq!(allowed(Forms::Ours), "");
    }
}
