//! The operations that are played: method and path, parameters, and the function that does the work.

use axum::http::Method;
use serde_json::Value;

use super::call::Work;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::{accounts, event, intents, link, listing};

/// One operation of Stripe's API.
pub(super) struct Route {
    pub(super) method: Method,
    /// As Stripe's description writes it.
    pub(super) path: &'static str,
    pub(super) endpoint: Endpoint,
    /// See [`super::form`].
    pub(super) parameters: &'static [&'static str],
    pub(super) work: fn(&mut Work<'_>) -> Result<Value, Problem>,
}

impl Route {
    const fn new(
        method: Method,
        path: &'static str,
        endpoint: Endpoint,
        parameters: &'static [&'static str],
        work: fn(&mut Work<'_>) -> Result<Value, Problem>,
    ) -> Self {
        Self { method, path, endpoint, parameters, work }
    }
}

const NOTHING: &[&str] = &[];
const LISTED_EVENTS: &[&str] = &["limit", "starting_after", "type"];

static ROUTES: [Route; 16] = [
    Route::new(Method::GET, "/v1/account", Endpoint::Accounts, NOTHING, accounts::retrieve_own),
    Route::new(Method::POST, "/v1/accounts", Endpoint::Accounts, accounts::CREATE, accounts::create),
    Route::new(Method::GET, "/v1/accounts", Endpoint::Accounts, listing::PARAMETERS, accounts::list),
    Route::new(Method::GET, "/v1/accounts/{account}", Endpoint::Accounts, NOTHING, accounts::retrieve),
    Route::new(
        Method::POST,
        "/v1/accounts/{account}",
        Endpoint::Accounts,
        accounts::UPDATE,
        accounts::update,
    ),
    Route::new(Method::DELETE, "/v1/accounts/{account}", Endpoint::Accounts, NOTHING, accounts::delete),
    Route::new(Method::POST, "/v1/account_links", Endpoint::AccountLinks, link::CREATE, link::create),
    Route::new(
        Method::POST,
        "/v1/payment_intents",
        Endpoint::PaymentIntents,
        intents::CREATE,
        intents::create,
    ),
    Route::new(
        Method::GET,
        "/v1/payment_intents",
        Endpoint::PaymentIntents,
        listing::PARAMETERS,
        intents::list,
    ),
    Route::new(
        Method::GET,
        "/v1/payment_intents/{intent}",
        Endpoint::PaymentIntents,
        NOTHING,
        intents::retrieve,
    ),
    Route::new(
        Method::POST,
        "/v1/payment_intents/{intent}",
        Endpoint::PaymentIntents,
        intents::UPDATE,
        intents::update,
    ),
    Route::new(
        Method::POST,
        "/v1/payment_intents/{intent}/confirm",
        Endpoint::PaymentIntents,
        intents::CONFIRM,
        intents::confirm,
    ),
    Route::new(
        Method::POST,
        "/v1/payment_intents/{intent}/cancel",
        Endpoint::PaymentIntents,
        intents::CANCEL,
        intents::cancel,
    ),
    Route::new(
        Method::POST,
        "/v1/payment_intents/{intent}/capture",
        Endpoint::PaymentIntents,
        intents::CAPTURE,
        intents::capture,
    ),
    Route::new(Method::GET, "/v1/events", Endpoint::Events, LISTED_EVENTS, event::list),
    Route::new(Method::GET, "/v1/events/{id}", Endpoint::Events, NOTHING, event::retrieve),
];

/// The operation, and what its path names.
pub(super) fn find(method: &Method, path: &str) -> Option<(&'static Route, String)> {
    ROUTES.iter().filter(|route| route.method == *method).find_map(|route| {
        let mut id = String::new();
        let (mut wanted, mut given) = (route.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some((route, id)),
                (Some(name), Some(value)) if name.starts_with('{') && !value.is_empty() => {
                    value.clone_into(&mut id);
                }
                (Some(wanted), Some(given)) if wanted == given => {}
                _ => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_operation_and_names_the_object() {
        let (route, id) = find(&Method::POST, "/v1/payment_intents/pi_1/cancel").unwrap();
        assert_eq!((route.path, id.as_str()), ("/v1/payment_intents/{intent}/cancel", "pi_1"));
        for (method, path) in [
            (Method::PUT, "/v1/accounts"),
            (Method::GET, "/v1/accounts/"),
            (Method::GET, "/v1/accounts/a/b"),
            (Method::GET, "/v1/charges"),
        ] {
            assert!(find(&method, path).is_none(), "{method} {path}");
        }
    }

    #[test]
    fn every_parameter_that_is_taken_is_one_of_stripes() {
        let text = include_str!("../../../../tests/foreign/stripe/openapi.json");
        let extract: Value = serde_json::from_str(text).unwrap();
        for route in &ROUTES {
            let operation = format!("{} {}", route.method, route.path);
            for pattern in route.parameters {
                let mut schema = &extract["parameters"][&operation];
                assert!(schema.is_object(), "{operation} is not in the extract");
                for part in pattern.split(['[', ']']).filter(|part| !part.is_empty()) {
                    schema = match part {
                        "*" => &schema["additionalProperties"],
                        "#" => &schema["items"],
                        name => &schema["properties"][name],
                    };
                    while let Some(first) = schema["anyOf"].get(0) {
                        schema = first;
                    }
                    assert!(schema.is_object(), "{operation} has no parameter {pattern}");
                }
            }
        }
    }
}
