//! Against real sockets and real files.

#[cfg(test)]
mod catalog;
#[cfg(test)]
mod client;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod first_fifteen;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod overrides;
#[cfg(test)]
mod page;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod validate;
