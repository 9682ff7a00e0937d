//! The parameters of a request (RFC 6749 appendix B): each at most once but `resource` (RFC 8707 §2), and one without a value is
//! one that was left out (RFC 6749 §3.1).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use model::OauthErrorCode;

use crate::Refusal;

/// How many parameters are read.
const MAX_PARAMETERS: usize = 100;

/// How many resources a request may name.
const MAX_RESOURCES: usize = 10;

/// Parameters that were read. What is unknown stays among them and is never looked at (RFC 6749 §3.1).
#[derive(Clone, Default)]
pub struct Form {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
    resources: Vec<String>,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let mut form = Self::default();
        for (count, pair) in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(invalid("the request has too many parameters"));
            }
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            let value = decoded(halves.next().unwrap_or_default())?;
            if value.is_empty() {
                continue;
            }
            if name == "resource" {
                if form.resources.len() >= MAX_RESOURCES {
                    return Err(invalid("the request names too many resources"));
                }
                if !form.resources.contains(&value) {
                    form.resources.push(value);
                }
            } else {
                match form.values.entry(name) {
                    Entry::Vacant(place) => _ = place.insert(value),
                    Entry::Occupied(first) => _ = form.repeated.insert(first.key().clone()),
                }
            }
        }
        Ok(form)
    }

    /// A parameter's value, or that it came twice.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        if self.repeated.contains(name) {
            return Err(Refusal::new(
                OauthErrorCode::InvalidRequest,
                format!("{name} is sent more than once"),
            ));
        }
        Ok(self.values.get(name).map(String::as_str))
    }

    /// A parameter that must be there.
    pub fn need(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name)?
            .ok_or_else(|| Refusal::new(OauthErrorCode::InvalidRequest, format!("{name} is missing")))
    }

    /// The resources that were named (RFC 8707 §2).
    pub fn resources(&self) -> &[String] {
        &self.resources
    }

    /// Refuses parameters that came more than once, whatever they are (RFC 6749 §3.1, §3.2).
    pub fn check_repeated(&self) -> Result<(), Refusal> {
        match self.repeated.first() {
            None => Ok(()),
            Some(_) => Err(invalid("a parameter is sent more than once")),
        }
    }

    /// Whether any of these parameters is there.
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.values.contains_key(*name))
    }
}

fn invalid(description: &'static str) -> Refusal {
    Refusal::new(OauthErrorCode::InvalidRequest, description)
}

/// Decodes a name or a value; what is no UTF-8 is refused, for a replacement character would be another text than was sent.
pub(crate) fn decoded(text: &[u8]) -> Result<String, Refusal> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let octet = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                octet.ok_or_else(|| {
                    invalid("the request is not encoded as application/x-www-form-urlencoded")
                })?
            }
            octet => octet,
        });
    }
    let text = String::from_utf8(octets).map_err(|_| invalid("the request is not text in UTF-8"))?;
    if text.contains('\0') { Err(invalid("the request has a NUL character")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &[u8]) -> Option<OauthErrorCode> {
        Form::parse(text).err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_form_is_read_as_appendix_b_says() {
        let form = Form::parse(b"a=1&b=x%20y+z%C3%A4&&c&d=&=e&unknown=%26").unwrap();
        assert_eq!(form.get("a"), Ok(Some("1")));
        assert_eq!(form.get("b"), Ok(Some("x y zä")));
        // RFC 6749 §3.1: sent without a value is the same as left out.
        assert_eq!((form.get("c"), form.get("d")), (Ok(None), Ok(None)));
        assert_eq!(form.need("d").unwrap_err().description, "d is missing");
    }

    #[test]
    fn what_comes_twice_is_refused_but_for_resource() {
        let form = Form::parse(b"a=1&a=1&resource=https://x&resource=https://y&resource=https://x").unwrap();
        assert_eq!(form.get("a").unwrap_err().code, OauthErrorCode::InvalidRequest);
        assert!(form.check_repeated().is_err());
        assert_eq!(form.resources(), ["https://x", "https://y"]);
        let many = (0..11).map(|n| format!("resource=https://{n}")).collect::<Vec<_>>().join("&");
        assert_eq!(code(many.as_bytes()), Some(OauthErrorCode::InvalidRequest));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for bad in [&b"a=%"[..], b"a=%1", b"a=%zz", b"a=%ff", b"a=\xff", b"%ff=a", b"a=%00", b"a=%+1"] {
            assert_eq!(code(bad), Some(OauthErrorCode::InvalidRequest), "{bad:?}");
        }
        let many = "a=1&".repeat(101);
        assert_eq!(code(many.as_bytes()), Some(OauthErrorCode::InvalidRequest));
    }
}
