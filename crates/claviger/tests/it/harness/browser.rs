//! A browser without a screen: it keeps cookies, follows nothing by itself, and sends what browsers send.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::Url;

/// A person's browser, or with a key the product's backend.
pub(crate) struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    /// By host and port: stricter than browsers, which would mix the ports of one host.
    cookies: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    key: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) url: Url,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The status and the problem's code: `(400, "invalid_state")`.
    pub(crate) fn problem(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn location(&self) -> Url {
        let location =
            self.headers.get(LOCATION).unwrap_or_else(|| panic!("a redirect was expected: {self:?}"));
        self.url.join(location.to_str().unwrap()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

/// One parameter of an address.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

impl Browser {
    pub(crate) fn new() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, cookies: Mutex::default(), key: None }
    }

    pub(crate) fn with_key(key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..Self::new() }
    }

    pub(crate) async fn get(&self, url: impl AsRef<str>) -> Answer {
        self.send(Method::GET, url.as_ref(), &[], Bytes::new()).await
    }

    pub(crate) async fn json(&self, method: Method, url: impl AsRef<str>, body: &Value) -> Answer {
        let headers = [(CONTENT_TYPE.as_str(), "application/json")];
        self.send(method, url.as_ref(), &headers, body.to_string().into()).await
    }

    pub(crate) async fn form(&self, url: impl AsRef<str>, fields: &[(&str, &str)]) -> Answer {
        let session = self.portal_session(url.as_ref()).await;
        let session = session.as_deref().map(|id| ("session", id));
        let fields: Vec<(&str, &str)> = session.into_iter().chain(fields.iter().copied()).collect();
        self.bare_form(url, &fields).await
    }

    /// What the form of a portal's page hides, as the page has it now.
    pub(crate) async fn portal_session(&self, form: &str) -> Option<String> {
        let mut page = Url::parse(form).unwrap();
        let name = ["onboarding", "settings"]
            .into_iter()
            .find(|name| page.path().starts_with(&format!("/portal/{name}/")))?;
        page.set_path(&format!("/portal/{name}"));
        let page = self.get(&page).await.body;
        let (_, rest) = page.split_once("name=\"session\" value=\"")?;
        rest.split('"').next().map(str::to_owned)
    }

    /// A form with these fields and no others.
    pub(crate) async fn bare_form(&self, url: impl AsRef<str>, fields: &[(&str, &str)]) -> Answer {
        let url = url.as_ref();
        let origin = Url::parse(url).unwrap().origin().ascii_serialization();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [
            (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded"),
            ("origin", &*origin),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send(Method::POST, url, &headers, body.into()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let url = Url::parse(url).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        let mut request = Request::builder().method(method).uri(url.as_str());
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        } else if !headers.iter().any(|(name, _)| *name == ACCEPT.as_str()) {
            request = request.header(ACCEPT, "text/html,application/xhtml+xml");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookies) = self.jar().get(&host).filter(|cookies| !cookies.is_empty()) {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let response = self.client.request(request.body(Full::new(body)).unwrap()).await;
        let response = response.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let mut jar = self.jar();
            let own = jar.entry(host.clone()).or_default();
            if cookie.contains("Max-Age=0") || value.is_empty() {
                own.remove(name);
            } else {
                own.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, body, url }
    }

    /// The cookies of a host, by name.
    pub(crate) fn cookies_of(&self, url: &str) -> BTreeMap<String, String> {
        let url = Url::parse(url).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        self.jar().get(&host).cloned().unwrap_or_default()
    }

    /// Gives a host the cookies that another host set: a second replica behind one address.
    pub(crate) fn copy_cookies(&self, from: &str, to: &str) {
        let cookies = self.cookies_of(from);
        let url = Url::parse(to).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        self.jar().insert(host, cookies);
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, BTreeMap<String, String>>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
