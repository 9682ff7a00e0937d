//! A sealed value whose kind is a matter of its place alone: for work that goes through all of them.

use std::fmt;

use crate::keyring::Keyring;
use crate::random;
use crate::sealed::{OpenError, Place, Sealable, Sealed, parts};

/// What a row holds of a secret, whatever the secret is.
#[derive(Clone, PartialEq, Eq)]
pub struct AnySealed {
    place: Place,
    octets: Box<[u8]>,
}

impl AnySealed {
    /// Rebuilds what a row holds of a `T`; octets that were never sealed fail to open.
    pub fn from_row<T: Sealable>(octets: Vec<u8>) -> Self {
        Self { place: Place::of::<T>(), octets: octets.into_boxed_slice() }
    }

    /// The same value with its kind.
    pub fn of<T: Sealable>(sealed: &Sealed<T>) -> Self {
        Self::from_row::<T>(sealed.as_bytes().to_vec())
    }

    /// The same value as a `T`; `None` when it is of another kind.
    pub fn typed<T: Sealable>(&self) -> Option<Sealed<T>> {
        (self.place == Place::of::<T>()).then(|| Sealed::from_row(self.octets.to_vec()))
    }

    /// The field that it is bound to.
    pub const fn field(&self) -> &'static str {
        self.place.field
    }

    /// The version of the data key that it names; `None` for a format that this version does not know.
    pub fn version(&self) -> Option<u32> {
        parts(&self.octets).map(|(version, ..)| version)
    }

    /// The octets for a row.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.octets
    }
}

impl fmt::Debug for AnySealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl Keyring {
    /// Whether a value of the row `row` opens.
    pub fn check(&self, row: &str, sealed: &AnySealed) -> Result<(), OpenError> {
        self.open_octets(sealed.place, row, &sealed.octets).map(drop)
    }

    /// The value sealed anew with the current data key; `None` when it is already.
    pub fn reseal(&self, row: &str, sealed: &AnySealed) -> Result<Option<AnySealed>, OpenError> {
        if sealed.version() == Some(self.current_version()) {
            return Ok(None);
        }
        let plaintext = self.open_octets(sealed.place, row, &sealed.octets)?;
        let octets = self.seal_octets(sealed.place, row, &plaintext, &random::octets());
        Ok(Some(AnySealed { place: sealed.place, octets: octets.into_boxed_slice() }))
    }
}

#[cfg(test)]
mod tests {
    use model::{AccessToken, RefreshToken};

    use super::*;

    #[test]
    fn a_value_is_sealed_anew_with_the_current_key_and_opens_as_before() {
        let old = Keyring::for_tests(&[(1, [0x11; 32])]);
        let both = Keyring::for_tests(&[(1, [0x11; 32]), (2, [0x22; 32])]);
        let value = AnySealed::of(&old.seal(&"crd_1", &AccessToken::from("gho_token")));
        assert_eq!((value.version(), value.field()), (Some(1), "access_token"));
        let anew = both.reseal("crd_1", &value).unwrap().unwrap();
        assert_eq!(anew.version(), Some(2));
        assert_eq!(both.open(&"crd_1", &anew.typed::<AccessToken>().unwrap()).unwrap().expose(), "gho_token");
        assert!(anew.typed::<RefreshToken>().is_none());
        assert_eq!(both.reseal("crd_1", &anew), Ok(None));
        assert_eq!(old.check("crd_1", &anew), Err(OpenError::UnknownKey { version: 2 }));
    }

    #[test]
    fn what_does_not_open_is_not_sealed_anew() {
        let both = Keyring::for_tests(&[(1, [0x11; 32]), (2, [0x22; 32])]);
        let old = Keyring::for_tests(&[(1, [0x11; 32])]);
        let value = AnySealed::of(&old.seal(&"crd_1", &AccessToken::from("gho_token")));
        assert_eq!(both.reseal("crd_2", &value), Err(OpenError::Refused), "another row");
        let mut octets = value.as_bytes().to_vec();
        *octets.last_mut().unwrap() ^= 1;
        let flipped = AnySealed::from_row::<AccessToken>(octets);
        assert_eq!(both.reseal("crd_1", &flipped), Err(OpenError::Refused));
        assert_eq!(both.check("crd_1", &flipped), Err(OpenError::Refused));
        let never = AnySealed::from_row::<AccessToken>(b"gho_token".to_vec());
        assert_eq!((never.version(), both.reseal("crd_1", &never)), (None, Err(OpenError::Format)));
    }
}
