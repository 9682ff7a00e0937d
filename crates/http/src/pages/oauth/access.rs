//! `/oauth/access`: which applications have access to the person's account, and how that ends.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use model::{GrantId, Timestamp};

use super::mark;
use crate::App;
use crate::brand::Brand;
use crate::messages::{Language, isolated};
use crate::pages::moment::Moment;
use crate::pages::{Forms, render};

/// What the page shows.
pub struct Access<'a> {
    /// What proves that the forms are ours.
    pub csrf: &'a str,
    /// Who is signed in.
    pub email: &'a str,
    /// What they have allowed.
    pub grants: Vec<Granted<'a>>,
}

/// What one application may do.
pub struct Granted<'a> {
    /// What the form sends.
    pub id: GrantId,
    /// The application's name.
    pub application: &'a str,
    /// The host that it is known by, where its name is its own claim.
    pub host: Option<&'a str>,
    /// The team that it acts for.
    pub team: Option<&'a str>,
    /// What it may do, as verb phrases.
    pub permissions: Vec<String>,
    /// When it was allowed.
    pub since: Timestamp,
    /// When it last came with a token of this grant.
    pub last_used: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "access.html")]
struct Page<'a> {
    language: Language,
    product: &'a Brand,
    csrf: &'a str,
    signed_in: String,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    granted: &'a Granted<'a>,
    mark: String,
    /// The name with the team, for whoever can't see the row around a button.
    whole_name: String,
    acts_for: String,
    since: Moment,
    last_used: Option<Moment>,
    question: String,
    consequence: String,
}

/// The page.
pub fn page(app: &App, language: Language, view: &Access<'_>) -> Response {
    let template = template(&app.brand, language, app.clock.now(), view);
    render(StatusCode::OK, language, &template, Forms::Ours)
}

fn template<'a>(product: &'a Brand, language: Language, now: Timestamp, view: &'a Access<'a>) -> Page<'a> {
    Page {
        language,
        product,
        csrf: view.csrf,
        signed_in: language.with("signed_in", "email", &isolated(view.email)),
        rows: view.grants.iter().map(|granted| row(product, language, now, granted)).collect(),
    }
}

fn row<'a>(product: &Brand, language: Language, now: Timestamp, granted: &'a Granted<'a>) -> Row<'a> {
    let name = isolated(granted.application);
    let team = granted.team.map(isolated);
    let whole_name = team.as_ref().map_or_else(|| name.clone(), |team| format!("{name} · {team}"));
    Row {
        mark: mark(granted.application),
        acts_for: match &team {
            Some(team) => language.with("access.for_team", "team", team),
            None => language.plain("access.for_you"),
        },
        since: Moment::on_day(language, now, granted.since),
        last_used: granted.last_used.map(|at| Moment::ago(language, now, at)),
        question: language.with("access.question", "application", &whole_name),
        consequence: language.text("access.detail", &[("application", &*name), ("product", &**product)]),
        whole_name,
        granted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, rowan, well_made};
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);

    fn html(language: Language, grants: Vec<Granted<'_>>) -> String {
        let view = Access { csrf: "c5rf", email: "anna@example.com", grants };
        well_made(&template(&rowan(), language, NOW, &view))
    }

    fn granted(name: &str) -> Granted<'_> {
        Granted {
            id: "gnt_0f3c9a525b1e4d60a9412c8d7e6f5a10".parse().unwrap(),
            application: name,
            host: None,
            team: None,
            permissions: Vec::new(),
            since: NOW,
            last_used: None,
        }
    }

    #[test]
    fn an_empty_page_says_what_will_be_here() {
        assert!(html(Language::English, Vec::new()).contains("No application has access to your account."));
        assert!(html(Language::Estonian, Vec::new()).contains("Mida lubad, seisab siin"));
    }

    #[test]
    fn a_row_says_for_whom_since_when_and_how_it_ends() {
        let used = Granted { team: Some("Northwind"), last_used: Some(NOW), ..granted("Zapier") };
        let html = html(Language::English, vec![granted("Claude"), used]);
        for words in [
            "Acts for you",
            "Acts for \u{2068}Northwind\u{2069}",
            "not used yet",
            "just now",
            "on 14\u{a0}November",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let question = "Withdraw the access of \u{2068}Zapier\u{2069} · \u{2068}Northwind\u{2069}?";
        assert!(html.contains(question), "{html}");
        assert_eq!(html.matches("name=\"withdraw\" value=\"gnt_").count(), 2);
    }

    #[test]
    fn what_others_have_written_stays_text() {
        let hostile = || Granted {
            host: Some("a.example"),
            team: Some(HOSTILE),
            permissions: vec![HOSTILE.to_owned()],
            ..granted(HOSTILE)
        };
        for language in Language::ALL {
            assert!(html(language, vec![hostile()]).contains("&#60;script&#62;"));
        }
    }
}
