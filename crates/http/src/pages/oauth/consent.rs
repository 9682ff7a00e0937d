//! What may the application do? Who asks, where the answer goes and for how long stand beside what is asked for.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use model::{RedirectUri, TeamId};

use super::mark;
use crate::App;
use crate::brand::Brand;
use crate::messages::{Language, isolated};
use crate::pages::{Forms, Notice, render};

/// What the page shows.
pub struct Consent<'a> {
    /// Where the forms are sent.
    pub action: &'a str,
    /// What proves that the forms are ours.
    pub csrf: &'a str,
    /// Who asks.
    pub application: Application<'a>,
    /// Where the answer goes, as the request at hand says.
    pub redirect_uri: &'a RedirectUri,
    /// Who is signed in.
    pub email: &'a str,
    /// For which teams they may decide; the first is chosen until they choose another.
    pub teams: Vec<Team<'a>>,
    /// What it asks for, as verb phrases after "will be able to".
    pub permissions: Vec<String>,
    /// Where that is to be used (RFC 8707), unless it is the product itself.
    pub resources: Vec<&'a str>,
    /// Whether it gets refresh tokens.
    pub while_away: bool,
}

/// Who asks.
pub struct Application<'a> {
    /// Its name.
    pub name: &'a str,
    /// Who says so.
    pub known: Known<'a>,
    /// Whether it can't prove who it is.
    pub is_public: bool,
    /// What the operator says about it besides.
    pub text: Option<&'a str>,
}

/// How we know an application.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// The operator has registered it: its name, its home and where its answers go are as they should be.
    Registered {
        /// The host of its home page.
        host: Option<&'a str>,
    },
    /// It registered itself (RFC 7591): its name and its home are its own claim.
    RegisteredItself {
        /// The host of the home page that it claims.
        host: Option<&'a str>,
    },
    /// By the document at its `client_id`: its host is sure, its name is its own claim.
    Document {
        /// The host of its `client_id`.
        host: &'a str,
    },
}

/// A team that the person may let an application act for.
pub struct Team<'a> {
    /// What the form sends.
    pub id: &'a TeamId,
    /// Its name.
    pub name: &'a str,
    /// What the person is there, in the product's words.
    pub role: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Page<'a> {
    language: Language,
    product: &'a Brand,
    view: &'a Consent<'a>,
    title: String,
    heading: String,
    signed_in: String,
    mark: String,
    may: String,
    /// What nobody has checked.
    own_claim: Option<String>,
    warnings: Vec<Notice>,
}

/// The page.
pub fn page(app: &App, language: Language, view: &Consent<'_>) -> Response {
    let template = template(&app.brand, language, view);
    render(StatusCode::OK, language, &template, Forms::Application(view.redirect_uri))
}

fn template<'a>(product: &'a Brand, language: Language, view: &'a Consent<'a>) -> Page<'a> {
    let application = &view.application;
    let name = isolated(application.name);
    // A name that anybody may have given themselves is never read without the host that is sure.
    let who = match application.known {
        Known::Document { host } => format!("{name} ({host})"),
        Known::RegisteredItself { .. } => format!("{name} ({})", view.redirect_uri.place()),
        Known::Registered { .. } => name.clone(),
    };
    let arguments = [("application", &*who), ("product", &**product)];
    let heading = match &*view.teams {
        [] => language.text("consent.for_you", &arguments),
        [team] => {
            let team = isolated(team.name);
            language.text("consent.for_team", &[&arguments[..], &[("team", &team)]].concat())
        }
        _ => language.text("consent.for_your_team", &arguments),
    };
    Page {
        language,
        product,
        view,
        title: language.with("consent", "application", &name),
        heading,
        signed_in: language.with("signed_in", "email", &isolated(view.email)),
        mark: mark(application.name),
        may: language.with("consent.may", "application", &name),
        own_claim: match application.known {
            Known::Registered { .. } => None,
            Known::RegisteredItself { .. } => Some(language.plain("consent.registered_itself")),
            Known::Document { .. } => Some(language.plain("consent.named_itself")),
        },
        warnings: view.warnings(language),
    }
}

impl Consent<'_> {
    /// What the person alone can know.
    fn warnings(&self, language: Language) -> Vec<Notice> {
        let mut warnings = Vec::new();
        // A secret that everybody can register for themselves proves nothing about a name.
        let is_unproven = self.application.is_public || !self.application.known.is_looked_at();
        if is_unproven && self.redirect_uri.is_native() {
            let name = isolated(self.application.name);
            warnings.push(Notice {
                title: language.with("consent_unproven", "application", &name),
                detail: language.plain("consent_unproven.detail"),
            });
        }
        if let Some(claimed) = self.application.known.claimed()
            && !self.redirect_uri.is_native()
            && !is_at(self.redirect_uri.place(), claimed)
        {
            let hosts = [("claimed", claimed), ("host", self.redirect_uri.place())];
            warnings.push(Notice {
                title: language.plain("consent_elsewhere"),
                detail: language.text("consent_elsewhere.detail", &hosts),
            });
        }
        warnings
    }
}

impl<'a> Known<'a> {
    /// Where it is at home.
    fn host(self) -> Option<&'a str> {
        match self {
            Self::Registered { host } | Self::RegisteredItself { host } => host,
            Self::Document { host } => Some(host),
        }
    }

    /// Whether the operator has looked at it.
    const fn is_looked_at(self) -> bool {
        matches!(self, Self::Registered { .. })
    }

    /// The same where nobody has looked whether its answers belong there.
    fn claimed(self) -> Option<&'a str> {
        match self {
            Self::Registered { .. } => None,
            Self::RegisteredItself { host } => host,
            Self::Document { host } => Some(host),
        }
    }
}

/// Whether a host is this one, or one below it.
fn is_at(host: &str, home: &str) -> bool {
    let (host, home) = (host.to_ascii_lowercase(), home.to_ascii_lowercase());
    host.strip_suffix(&home).is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, rowan, well_made};
    use super::*;

    fn application(known: Known<'_>, is_public: bool) -> Application<'_> {
        Application { name: "Zapier", known, is_public, text: None }
    }

    fn view<'a>(application: Application<'a>, redirect_uri: &'a RedirectUri) -> Consent<'a> {
        Consent {
            action: "/oauth/authorize/aut_1",
            csrf: "c5rf",
            application,
            redirect_uri,
            email: "anna@example.com",
            teams: Vec::new(),
            permissions: vec!["Read your team’s reports".to_owned()],
            resources: vec!["https://api.example.com/mcp"],
            while_away: true,
        }
    }

    const ZAPIER: Known<'_> = Known::Registered { host: Some("zapier.com") };

    #[test]
    fn the_heading_is_true_without_script() {
        let (uri, product) = ("https://zapier.com/cb".parse().unwrap(), rowan());
        let ids: [TeamId; 2] = ["northwind".parse().unwrap(), "tamm".parse().unwrap()];
        let team = |index: usize, name| Team { id: &ids[index], name, role: Some("Owner") };
        for (teams, fields, english, estonian) in [
            (0, 0, "act for you in Rowan", "sinu nimel teenuses Rowan"),
            (1, 1, "act for \u{2068}Northwind\u{2069} in Rowan", "tiimi \u{2068}Northwind\u{2069} nimel"),
            (2, 2, "act for your team in Rowan", "sinu tiimi nimel teenuses Rowan"),
        ] {
            let mut view = view(application(ZAPIER, false), &uri);
            view.teams = vec![team(0, "Northwind"), team(1, "Tamm")].into_iter().take(teams).collect();
            for (language, expected) in [(Language::English, english), (Language::Estonian, estonian)] {
                let page = template(&product, language, &view);
                assert!(page.heading.contains(expected), "{}", page.heading);
                let html = well_made(&page);
                assert_eq!(html.matches("name=\"team\"").count(), fields, "{html}");
                assert_eq!(html.matches("type=\"radio\"").count(), if teams > 1 { fields } else { 0 });
            }
        }
    }

    #[test]
    fn a_name_that_nobody_checked_stands_beside_its_host() {
        let (uri, product) = ("https://claude.ai/cb".parse().unwrap(), rowan());
        let document = Known::Document { host: "claude.ai" };
        for (known, heading, claim) in [
            (document, "\u{2068}Zapier\u{2069} (claude.ai) asks", "It chose its name itself."),
            (
                Known::RegisteredItself { host: None },
                "\u{2068}Zapier\u{2069} (claude.ai) asks",
                "It registered itself,",
            ),
            (Known::Registered { host: None }, "\u{2068}Zapier\u{2069} asks", "that Rowan knows"),
            (ZAPIER, "\u{2068}Zapier\u{2069} asks", "an application at <strong>zapier.com</strong></dd>"),
        ] {
            let view = view(application(known, false), &uri);
            let page = template(&product, Language::English, &view);
            assert!(page.heading.starts_with(heading), "{}", page.heading);
            let html = well_made(&page);
            assert!(html.contains(claim), "{html}");
        }
    }

    #[test]
    fn what_the_person_alone_can_know_is_a_warning() {
        let (document, itself) =
            (Known::Document { host: "a.example" }, Known::RegisteredItself { host: Some("a.example") });
        let unproven = "This may not be";
        let elsewhere = "The answer goes somewhere else";
        for (known, is_public, uri, expected) in [
            (ZAPIER, false, "https://zapier.com/cb", None),
            // The operator has looked at it.
            (ZAPIER, false, "https://other.example/cb", None),
            (ZAPIER, true, "https://zapier.com/cb", None),
            (ZAPIER, true, "http://127.0.0.1:1/cb", Some(unproven)),
            (ZAPIER, true, "com.example.app:/cb", Some(unproven)),
            (ZAPIER, false, "http://127.0.0.1:1/cb", None),
            (document, true, "https://a.example/cb", None),
            (document, true, "https://A.Example/cb", None),
            (document, true, "https://login.a.example/cb", None),
            (document, true, "https://b.example/cb", Some(elsewhere)),
            (document, true, "https://nota.example/cb", Some(elsewhere)),
            (document, true, "http://localhost:5/cb", Some(unproven)),
            (document, false, "com.example.app:/cb", Some(unproven)),
            (itself, false, "http://localhost:5/cb", Some(unproven)),
            (itself, false, "com.example.app://a.example/cb", Some(unproven)),
            (itself, false, "https://b.example/cb", Some(elsewhere)),
            (Known::RegisteredItself { host: None }, false, "https://b.example/cb", None),
        ] {
            let redirect_uri = uri.parse().unwrap();
            let view = view(application(known, is_public), &redirect_uri);
            let titles: Vec<String> =
                view.warnings(Language::English).into_iter().map(|warning| warning.title).collect();
            assert_eq!(titles.len(), usize::from(expected.is_some()), "{uri}: {titles:?}");
            assert!(titles.iter().all(|title| title.contains(expected.unwrap())), "{uri}: {titles:?}");
        }
    }

    #[test]
    fn what_others_have_written_stays_text() {
        let (uri, product, id) = ("com.example.app:/cb".parse().unwrap(), rowan(), "t".parse().unwrap());
        let hostile = Application { name: HOSTILE, known: ZAPIER, is_public: true, text: Some(HOSTILE) };
        let mut view = view(hostile, &uri);
        view.email = HOSTILE;
        view.permissions = vec![HOSTILE.to_owned()];
        let team = || Team { id: &id, name: HOSTILE, role: Some(HOSTILE) };
        for teams in [vec![team()], vec![team(), team()]] {
            view.teams = teams;
            for language in Language::ALL {
                assert!(well_made(&template(&product, language, &view)).contains("&#60;script&#62;"));
            }
        }
    }
}
