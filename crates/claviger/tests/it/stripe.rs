//! Stripe Connect against the sandbox's Stripe, over real HTTP: the way there and back, events, and what the product reads.

mod accounts;
mod callback;
mod down;
mod initiate;
mod onboarding;
mod swap;
mod webhook;
