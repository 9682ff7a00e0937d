//! What a person sees of the authorization server. Here it is only drawn: a view says what is to be shown, and whoever
//! answers the request decides what that is.
//!
//! - [`login`]: who is there?
//! - [`consent`]: what may the application do?
//! - [`access`]: which applications may do something, and how that ends
//!
//! Every form sends `csrf`, and beside it
//!
//! - of the sign-in page: `email` and `password`; or `way`, which is `link` (with `email`) or the id of a [`login::Way`];
//!   or `decision=cancel`
//! - of the consent page: `decision`, which is `authorize`, `cancel` or `switch` (to another account), and `team` where
//!   the person has any
//! - of the page of applications: `withdraw`, the id of a grant, or `decision=sign_out`
//!
//! What can't be answered with a redirect is a problem as a page ([`super::error`]).

pub mod access;
pub mod consent;
pub mod login;

use crate::messages::Language;

/// What a scope of OpenID Connect lets an application do (Core §5.4, §11), after "will be able to". The scopes of the
/// product have words that the operator wrote.
pub fn standard_permission(language: Language, scope: &str) -> Option<String> {
    match scope {
        "openid" => Some(language.plain("permission_openid")),
        "profile" => Some(language.plain("permission_profile")),
        "email" => Some(language.plain("permission_email")),
        "offline_access" => Some(language.plain("permission_offline_access")),
        _ => None,
    }
}

/// Two letters in a square.
fn mark(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).take(2).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::{Brand, Palette};

    /// A name that is markup, turns what comes after it, and is long.
    pub(super) const HOSTILE: &str = "<script>alert(1)</script>\" onfocus=\"x\u{202e}\u{2069}aVeryLongName";

    pub(super) fn rowan() -> Brand {
        Brand::new("Rowan".to_owned(), &Palette::default(), &Palette::default(), None)
    }

    /// What every page is; gives back its HTML.
    pub(super) fn well_made(page: &impl askama::Template) -> String {
        let html = page.render().unwrap();
        assert_eq!(html.matches("<h1").count(), 1, "{html}");
        assert!(!html.contains(" style=") && !html.contains("<style"), "{html}");
        assert!(!html.contains("<script>") && !html.contains("\" onfocus"), "{html}");
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(
                form.contains("method=\"post\"") && form.contains("name=\"csrf\" value=\"c5rf\""),
                "{form}"
            );
        }
        html
    }

    #[test]
    fn the_scopes_of_openid_connect_have_words_in_both_languages() {
        for language in Language::ALL {
            for scope in ["openid", "profile", "email", "offline_access"] {
                assert!(
                    standard_permission(language, scope).is_some_and(|words| words.contains(' ')),
                    "{scope}"
                );
            }
            assert_eq!(standard_permission(language, "reports:read"), None);
        }
    }

    #[test]
    fn a_mark_is_two_letters_of_whatever_the_name_is() {
        for (name, expected) in
            [("Zapier", "ZA"), ("x", "X"), ("4 eyes", "4E"), ("õun", "ÕU"), ("🔑", ""), ("", "")]
        {
            assert_eq!(mark(name), expected);
        }
    }
}
