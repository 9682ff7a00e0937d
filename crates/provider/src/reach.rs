//! Which addresses we call: public ones over TLS, and others only on hosts that the operator named. Otherwise a person
//! who may name a host (a self-managed GitLab, a shop) could make us call our own network: server-side request forgery.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::Host;

/// A host on the operator's list that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host; write it as git.intern.example, 10.0.0.7:8443 or [fd00::7]")]
pub struct InvalidHost(pub String);

/// The hosts on which addresses that are not public may be called.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedHosts(BTreeSet<(String, Option<u16>)>);

impl AllowedHosts {
    pub(crate) fn parse(hosts: &[String]) -> Result<Self, InvalidHost> {
        hosts
            .iter()
            .map(|host| parse(host).ok_or_else(|| InvalidHost(host.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// `host` as the `url` crate writes it: lower case, numbers resolved, IPv6 in brackets.
    pub(crate) fn contain(&self, host: &str, port: u16) -> bool {
        let named = |port| self.0.contains(&(host.to_owned(), port));
        named(None) || named(Some(port))
    }
}

fn parse(text: &str) -> Option<(String, Option<u16>)> {
    // The colons of an IPv6 address stand inside of its brackets.
    let after_brackets = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text.get(after_brackets..)?.find(':') {
        Some(colon) => {
            (&text[..after_brackets + colon], Some(text[after_brackets + colon + 1..].parse().ok()?))
        }
        None => (text, None),
    };
    Some((Host::parse(host).ok()?.to_string(), port))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

/// IPv4 addresses that are not globally reachable, or not hosts (IANA special-purpose registry, RFC 6890).
const NOT_PUBLIC_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),       // this network; 0.0.0.0 reaches this machine
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local, with the clouds' metadata services
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays, withdrawn
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, and broadcast
];

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

/// Everything public in IPv6 lies in here; loopback, unique local, link-local and multicast lie outside.
const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 3);

/// Parts of it that are not hosts, or stand for another address.
const NOT_PUBLIC_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 23),     // protocol assignments, with Teredo
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4, which wraps an IPv4 address
    v6(0x3fff, 0, 20),     // documentation
];

/// RFC 6052: an IPv4 address behind a translator.
const TRANSLATED: Ipv6Net = v6(0x64, 0xff9b, 96);

/// Whether the address is one of the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None if TRANSLATED.contains(&address) => {
                let [.., a, b, c, d] = address.octets();
                is_public_v4(Ipv4Addr::new(a, b, c, d))
            }
            None => {
                GLOBAL_UNICAST_V6.contains(&address)
                    && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address))
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for public in
            ["8.8.8.8", "140.82.121.4", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::8.8.8.8"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn a_host_is_allowed_with_every_port_or_with_its_own() {
        let hosts = ["LOCALHOST", "127.0.0.1:8443", "[::1]", "[fd00::7]:9000"].map(str::to_owned);
        let allowed = AllowedHosts::parse(&hosts).unwrap();
        for (host, port, expected) in [
            ("localhost", 80, true),
            ("127.0.0.1", 8443, true),
            ("127.0.0.1", 8444, false),
            ("[::1]", 1, true),
            ("[fd00::7]", 9000, true),
            ("[fd00::7]", 9001, false),
            ("localhost.example", 80, false),
        ] {
            assert_eq!(allowed.contain(host, port), expected, "{host}:{port}");
        }
    }

    #[test]
    fn what_is_no_host_is_named() {
        for bad in [
            "",
            "http://localhost",
            "a b",
            "localhost:",
            "localhost:99999",
            "localhost/x",
            "user@host",
            "[::1",
            "::1",
        ] {
            assert_eq!(AllowedHosts::parse(&[bad.to_owned()]).unwrap_err(), InvalidHost(bad.to_owned()));
        }
    }
}
