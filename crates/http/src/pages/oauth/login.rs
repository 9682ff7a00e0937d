//! Who is there? The way to sign in is chosen here; what is asked for afterwards is named.

use std::time::Duration;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use model::RedirectUri;

use crate::App;
use crate::brand::Brand;
use crate::messages::{Language, isolated};
use crate::pages::{Forms, Notice, render};
use crate::problem::seconds;

/// When it makes sense to try again while something is out of reach.
const SOON: Duration = Duration::from_secs(2);

/// What the page shows.
pub struct SignIn<'a> {
    /// Where the form is sent.
    pub action: &'a str,
    /// What proves that the form is ours.
    pub csrf: &'a str,
    /// Who asks; `None` where the person has come to see their applications.
    pub asked_by: Option<AskedBy<'a>>,
    /// What stands in the field already: the request's `login_hint`, or what was sent last.
    pub email: &'a str,
    /// Whether a back end takes passwords.
    pub with_password: bool,
    /// Where a forgotten password is made anew.
    pub forgot_url: Option<&'a str>,
    /// Whether a link can be mailed instead.
    pub with_link: bool,
    /// The other ways.
    pub ways: Vec<Way<'a>>,
    /// Why the person is still here.
    pub problem: Option<SignInProblem<'a>>,
}

/// The application that the person signs in for.
pub struct AskedBy<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where its answer goes.
    pub redirect_uri: &'a RedirectUri,
}

/// A way to sign in that leads elsewhere.
pub struct Way<'a> {
    /// What the button sends.
    pub id: &'a str,
    /// What people call it.
    pub label: &'a str,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy)]
pub enum SignInProblem<'a> {
    /// Email or password is wrong; which of them is not told.
    Wrong,
    /// A link is to be mailed, and nobody knows where to.
    EmailMissing,
    /// Another way led back without an answer, or with a refusal.
    WayFailed {
        /// What people call it.
        label: &'a str,
    },
    /// A mailed link led back, and was good no more.
    LinkFailed,
    /// There were too many attempts.
    TooMany {
        /// When the next one counts.
        retry_after: Duration,
    },
    /// The back end does not answer.
    Unavailable,
}

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    language: Language,
    product: &'a Brand,
    view: &'a SignIn<'a>,
    heading: String,
    lead: String,
    problem: Option<Notice>,
}

#[derive(Template)]
#[template(path = "login_mailed.html")]
struct Mailed<'a> {
    language: Language,
    product: &'a Brand,
    detail: String,
    action: &'a str,
}

/// The page.
pub fn page(app: &App, language: Language, view: &SignIn<'_>) -> Response {
    answer(language, view, &template(&app.brand, language, view))
}

/// The page where no application asks. Whoever signs in by a way that leads back to a request learns how to get here.
pub fn page_without_request(
    app: &App,
    language: Language,
    view: &SignIn<'_>,
    has_ways_back: bool,
) -> Response {
    let lead = lead_without_request(language, view.with_password, has_ways_back);
    answer(language, view, &Page { lead, ..template(&app.brand, language, view) })
}

fn lead_without_request(language: Language, with_password: bool, has_ways_back: bool) -> String {
    let plain = language.plain("sign_in.lead_access");
    match (with_password, has_ways_back) {
        (true, false) => plain,
        (true, true) => format!("{plain} {}", language.plain("sign_in.lead_access_or_elsewhere")),
        (false, _) => language.plain("sign_in.lead_access_elsewhere"),
    }
}

fn answer(language: Language, view: &SignIn<'_>, page: &Page<'_>) -> Response {
    let (status, retry_after) = match view.problem {
        Some(SignInProblem::TooMany { retry_after }) => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after)),
        Some(SignInProblem::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, Some(SOON)),
        _ => (StatusCode::OK, None),
    };
    let mut response = render(status, language, page, forms(view));
    if let Some(after) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds(after).into());
    }
    response
}

/// A link was mailed, or would have been if the address had an account: nobody learns which.
pub fn mailed(app: &App, language: Language, action: &str, email: &str) -> Response {
    let detail = language.with("sign_in_mailed.detail", "email", &isolated(email));
    let template = Mailed { language, product: &app.brand, detail, action };
    render(StatusCode::OK, language, &template, Forms::Ours)
}

fn template<'a>(product: &'a Brand, language: Language, view: &'a SignIn<'a>) -> Page<'a> {
    let lead = view.asked_by.as_ref().map_or_else(
        || language.plain("sign_in.lead_access"),
        |asked_by| language.with("sign_in.lead", "application", &isolated(asked_by.name)),
    );
    let problem = view.problem.map(|problem| problem.notice(language, view.with_link));
    Page { language, product, view, heading: language.with("sign_in.to", "product", product), lead, problem }
}

/// An application whose user is signed in, and has agreed before, gets its answer in the same chain of redirects.
fn forms<'a>(view: &SignIn<'a>) -> Forms<'a> {
    match (&view.asked_by, view.ways.is_empty()) {
        (None, true) => Forms::Ours,
        (None, false) => Forms::Provider,
        (Some(asked_by), true) => Forms::Application(asked_by.redirect_uri),
        (Some(asked_by), false) => Forms::ProviderThenApplication(asked_by.redirect_uri),
    }
}

impl SignIn<'_> {
    /// Whether what was sent has to be looked at again.
    fn is_wrong(&self) -> bool {
        matches!(self.problem, Some(SignInProblem::Wrong))
    }

    fn lacks_email(&self) -> bool {
        matches!(self.problem, Some(SignInProblem::EmailMissing))
    }

    /// Whether there is one way to sign in, and it leads elsewhere.
    fn has_one_way(&self) -> bool {
        !self.with_password && !self.with_link && self.ways.len() == 1
    }
}

impl SignInProblem<'_> {
    fn notice(self, language: Language, with_link: bool) -> Notice {
        let (title, detail) = match self {
            Self::Wrong if with_link => {
                (language.plain("sign_in_wrong"), language.plain("sign_in_wrong.or_link"))
            }
            Self::Wrong => (language.plain("sign_in_wrong"), language.plain("sign_in_wrong.detail")),
            Self::EmailMissing => {
                (language.plain("sign_in_email_missing"), language.plain("sign_in_email_missing.detail"))
            }
            Self::WayFailed { label } => (
                language.with("sign_in_way_failed", "way", &isolated(label)),
                language.plain("sign_in_way_failed.detail"),
            ),
            Self::LinkFailed => {
                (language.plain("sign_in_link_failed"), language.plain("sign_in_link_failed.detail"))
            }
            Self::TooMany { retry_after } => {
                let minutes = retry_after.as_secs().div_ceil(60).max(1).to_string();
                (
                    language.plain("sign_in_too_many"),
                    language.with("sign_in_too_many.detail", "minutes", &minutes),
                )
            }
            Self::Unavailable => {
                (language.plain("sign_in_unavailable"), language.plain("sign_in_unavailable.detail"))
            }
        };
        Notice { title, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, rowan, well_made};
    use super::*;

    fn uri() -> RedirectUri {
        "https://zapier.com/return/".parse().unwrap()
    }

    /// The page with a password and nothing else.
    fn view(uri: &RedirectUri) -> SignIn<'_> {
        SignIn {
            action: "/oauth/authorize/aut_1",
            csrf: "c5rf",
            asked_by: Some(AskedBy { name: "Zapier", redirect_uri: uri }),
            email: "",
            with_password: true,
            forgot_url: None,
            with_link: false,
            ways: Vec::new(),
            problem: None,
        }
    }

    fn html(language: Language, view: &SignIn<'_>) -> String {
        well_made(&template(&rowan(), language, view))
    }

    const GOOGLE: Way<'_> = Way { id: "google", label: "Google" };
    const MICROSOFT: Way<'_> = Way { id: "microsoft", label: "Microsoft" };

    #[test]
    fn only_what_a_back_end_can_do_is_shown() {
        let uri = uri();
        let (password, link, google) = ("name=\"password\"", "value=\"link\"", "value=\"google\"");
        let (forgot, cancel) = ("https://rowan.example/forgot", "value=\"cancel\"");
        let own = SignIn { asked_by: None, ..view(&uri) };
        let all = SignIn { with_link: true, ways: vec![GOOGLE], forgot_url: Some(forgot), ..view(&uri) };
        let by_link = SignIn { with_password: false, with_link: true, ..view(&uri) };
        let elsewhere = SignIn { with_password: false, ways: vec![GOOGLE, MICROSOFT], ..view(&uri) };
        for (view, expected) in [
            (view(&uri), vec![password, "name=\"email\"", cancel]),
            (own, vec![password, "name=\"email\""]),
            (all, vec![password, "name=\"email\"", link, google, forgot, cancel]),
            (by_link, vec!["name=\"email\"", link, cancel]),
            (elsewhere, vec![google, cancel]),
        ] {
            let html = html(Language::English, &view);
            for part in [password, "name=\"email\"", link, google, forgot, cancel] {
                assert_eq!(html.contains(part), expected.contains(&part), "{part} in {html}");
            }
        }
    }

    #[test]
    fn there_is_at_most_one_primary_button_and_the_enter_key_presses_the_first() {
        let uri = uri();
        let (link_only, way_only) = (
            SignIn { with_password: false, with_link: true, ways: vec![GOOGLE], ..view(&uri) },
            SignIn { with_password: false, ways: vec![GOOGLE], ..view(&uri) },
        );
        let all = SignIn { with_link: true, ways: vec![GOOGLE, MICROSOFT], ..view(&uri) };
        let several = SignIn { with_password: false, ways: vec![GOOGLE, MICROSOFT], ..view(&uri) };
        for (view, primaries, first) in [
            (all, 1, ">Sign in<"),
            (link_only, 1, ">Email me a sign-in link<"),
            (way_only, 1, ">Continue with Google<"),
            (several, 0, ">Continue with Google<"),
        ] {
            let html = html(Language::English, &view);
            assert_eq!(html.matches("button-primary").count(), primaries, "{html}");
            let button = html.split("<button").nth(1).unwrap().split("/button>").next().unwrap();
            assert!(button.contains(first), "{button}");
        }
    }

    #[test]
    fn forms_may_lead_where_the_answer_goes() {
        let uri = uri();
        let elsewhere = || vec![GOOGLE];
        for (view, expected) in [
            (view(&uri), Forms::Application(&uri)),
            (SignIn { ways: elsewhere(), ..view(&uri) }, Forms::ProviderThenApplication(&uri)),
            (SignIn { asked_by: None, ..view(&uri) }, Forms::Ours),
            (SignIn { asked_by: None, ways: elsewhere(), ..view(&uri) }, Forms::Provider),
        ] {
            assert_eq!(forms(&view), expected);
        }
    }

    #[test]
    fn what_went_wrong_is_told_in_words() {
        let uri = uri();
        let too_many = |seconds| SignInProblem::TooMany { retry_after: Duration::from_secs(seconds) };
        for (problem, english, estonian) in [
            (SignInProblem::Wrong, "Try again.", "Proovi uuesti."),
            (too_many(0), "in a minute.", "Proovi uuesti minuti pärast."),
            (too_many(61), "in 2 minutes.", "Proovi uuesti 2 minuti pärast."),
            (SignInProblem::Unavailable, "is not answering", "vastust ei tule"),
            (SignInProblem::LinkFailed, "did not work", "ei toiminud"),
            (SignInProblem::EmailMissing, "Your email is missing", "E-posti aadress puudub"),
            (SignInProblem::WayFailed { label: "Google" }, "did not sign you in", "ei õnnestunud"),
        ] {
            for (language, expected) in [(Language::English, english), (Language::Estonian, estonian)] {
                let html = html(language, &SignIn { problem: Some(problem), ..view(&uri) });
                assert!(html.contains(expected) && html.contains("role=\"alert\""), "{expected}: {html}");
            }
        }
        let wrong = |with_link| {
            let view = SignIn { with_link, problem: Some(SignInProblem::Wrong), ..view(&uri) };
            html(Language::English, &view)
        };
        let by_link = "or have a sign-in link emailed to you";
        assert!(wrong(true).contains(by_link) && !wrong(false).contains(by_link));
        assert_eq!(wrong(false).matches("aria-invalid=\"true\" aria-describedby=\"problem\"").count(), 2);
    }

    #[test]
    fn whoever_signs_in_elsewhere_learns_how_to_get_to_their_applications() {
        for (language, elsewhere, own) in [
            (Language::English, "same browser", "Then you see"),
            (Language::Estonian, "samas brauseris", "Seejärel näed"),
        ] {
            for (with_password, has_ways_back, says) in
                [(true, false, [true, false]), (true, true, [true, true]), (false, true, [false, true])]
            {
                let lead = lead_without_request(language, with_password, has_ways_back);
                assert_eq!([own, elsewhere].map(|words| lead.contains(words)), says, "{lead}");
            }
        }
    }

    #[test]
    fn what_others_have_written_stays_text() {
        let uri = uri();
        let hostile = SignIn {
            asked_by: Some(AskedBy { name: HOSTILE, redirect_uri: &uri }),
            email: HOSTILE,
            ways: vec![Way { id: HOSTILE, label: HOSTILE }],
            problem: Some(SignInProblem::WayFailed { label: HOSTILE }),
            ..view(&uri)
        };
        for language in Language::ALL {
            assert!(html(language, &hostile).contains("&#60;script&#62;"));
        }
    }
}
