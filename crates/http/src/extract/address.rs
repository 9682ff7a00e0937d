//! Where a request comes from, as far as that can be believed: the peer of the connection; or, where that is a reverse proxy that the
//! operator trusts, the last address before it that is none (RFC 7239 §5.2 knows the header as `X-Forwarded-For`).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::App;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The peer of the connection, as the listener knows it.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// What is counted by address: an IPv4 address, or the network of 2⁶⁴ that one customer has of IPv6.
pub(crate) fn address_of(extensions: &Extensions, headers: &HeaderMap, app: &App) -> String {
    let Some(Peer(peer)) = extensions.get::<Peer>().copied() else { return "unknown".to_owned() };
    network(believed(peer, headers, &app.trusted_proxies)).to_string()
}

/// The same in full, for whoever is told of it and does not count.
pub(crate) fn whole_address_of(extensions: &Extensions, headers: &HeaderMap, app: &App) -> Option<IpAddr> {
    let Peer(peer) = extensions.get::<Peer>().copied()?;
    Some(believed(peer, headers, &app.trusted_proxies))
}

fn believed(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    let values = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    for text in listed.into_iter().rev() {
        // Whoever wrote what can't be read was not a proxy of ours.
        let Some(before) = read(text) else { break };
        address = before.to_canonical();
        if !is_trusted(address) {
            break;
        }
    }
    address
}

/// Some proxies write the port too.
fn read(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|at: SocketAddr| at.ip()))
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let headers: HeaderMap =
            forwarded.iter().map(|value| (X_FORWARDED_FOR, HeaderValue::from_static(value))).collect();
        network(believed(peer.parse().unwrap(), &headers, &trusted)).to_string()
    }

    #[test]
    fn rfc9700_4_13_only_a_trusted_proxy_is_believed() {
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.2.2.2"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, nonsense, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1:51234"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["[2001:db8:1:2::9]:443"]), "2001:db8:1:2::");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("2001:db8:1:2:3:4:5:6", &[]), "2001:db8:1:2::");
    }
}
