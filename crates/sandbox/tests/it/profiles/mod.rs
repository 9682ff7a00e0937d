//! Real providers as the sandbox plays them: the whole life of a connection at each, and each one's quirks.

mod atlassian;
mod common;
mod figma;
mod github;
mod google;
mod microsoft;
mod player;
mod slack;
mod zoho;
mod zoom;
