//! A third party of our own making: an OAuth provider as strict and as unreliable as real ones, for the demo, for our
//! tests and for users' own. It shares no code with the rest of Claviger, so that a shared mistake can't hide.
//!
//! What the world sees, one module an endpoint:
//! - `authorize`: the consent page and the code (RFC 6749 §4.1.1, RFC 7636, RFC 9207)
//! - `token`: the code and the refresh token become tokens (RFC 6749 §4.1.3, §6)
//! - `revoke`, `introspect`: RFC 7009, RFC 7662
//! - `resource`: userinfo and a small API, which need the token (RFC 6750)
//! - `metadata`: RFC 8414
//! - `profile`: real providers, each with its own paths, answers and quirks
//! - `stripe`: Stripe's accounts, account links, payment intents and webhooks, at Stripe's own paths
//! - `control_api`: behaviour, log, totals, reset; `page`: what a person reads
//!
//! What stands behind:
//! - `settings`, `failure`, `control`: how it is told to behave
//! - `app`, `client_auth`: who asks
//! - `account`, `consent`, `grants`, `family`, `facts`, `key`, `pkce`: who agreed to what, and every token's life
//! - `call`: what happens to each call in order: failure, work, log, latency; `line`: the connection below it
//! - `log`, `clock`, `parameters`, `scope`, `answer`, `same_origin`, `language`
//!
//! # Profiles
//!
//! `https://api.github.com/user` is played at `{sandboxUrl}/at/api.github.com/user`, and so is every URL of the providers
//! that the home page lists. Each profile has an app of its own: client id `github`, secret `github-secret`, any loopback
//! redirect URI. `PUT /control?app=github` changes its settings, which begin as the provider behaves, and orders its
//! failures, which look as at the sandbox itself. Its log rows have `profile` and `host`. More apps of a provider are
//! registered with a `profile`:
//! `PUT /control {"apps": {"mine": {"profile": "zoho", "clientSecret": "s", "redirectUris": ["https://…"]}}}`. An app,
//! its codes and its tokens are unknown everywhere but at its own provider. Two settings are Zoho's alone: `location`
//! (the data centre of who consents) and `accountsServer` (what a hostile callback says).
//!
//! To add one: a variant of `profile::Profile`, and a file that implements `profile::Provider`: its routes, the settings
//! that its apps begin with, and how it answers. Checks are the core's; a profile may add to them and can't leave one
//! out.
//!
//! # Stripe
//!
//! Stripe's libraries take the sandbox's host and port in place of `api.stripe.com`, with the secret key
//! `sk_test_sandbox`. `GET/PUT /control/stripe` reads and sets its behaviour: `latency`, `fail`, `onboarding` (`ask`,
//! `complete`, `pending`, `incomplete`, `expired`), `clockOffset`, `deliver` (`auto`, `manual`),
//! `webhook` (`{"url", "secret", "platform", "retryDelay"}`, secret `whsec_sandbox` when none was ever given) and
//! `platforms` (`{"acct_other": {"name", "secretKey"}}`). `GET /control/stripe/accounts` and `…/events` tell what there
//! is; `PUT …/accounts/{id}` changes an account, `POST …/accounts/{id}/deauthorize` ends the platform's access, and
//! `POST …/events/{id}/send` sends an event once more: `{"signature": "valid"}`, `wrong`, `old` or `missing`.
//!
//! Everything is held in memory and bounded. Only hashes of codes and tokens are kept.

mod account;
mod answer;
mod app;
mod authorize;
mod call;
mod client_auth;
mod clock;
mod consent;
mod control;
mod control_api;
mod facts;
mod failure;
mod family;
mod grants;
mod introspect;
mod key;
mod language;
mod line;
mod log;
mod metadata;
mod page;
mod parameters;
mod pkce;
mod profile;
mod resource;
mod revoke;
mod same_origin;
mod sandbox;
mod scope;
mod settings;
mod stripe;
mod token;

pub use clock::{Clock, SystemClock};
pub use sandbox::{InvalidBaseUrl, Sandbox, serve};
