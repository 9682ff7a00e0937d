//! The sandbox over real HTTP on loopback: every test has a sandbox of its own, and moves its clock instead of waiting.

#[cfg(test)]
mod control;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod stripe;
#[cfg(test)]
mod tokens;
