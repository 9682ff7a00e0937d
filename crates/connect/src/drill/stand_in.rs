//! What takes the place of a refresh token for a while.

use model::RefreshToken;

/// How many characters tell of what kind a token is (`ghr_`, `1//0`), and how many random ones make another of it.
const KIND: usize = 4;
const RANDOM: usize = 16;

/// A token of the same look that the provider has never issued, so that it is refused for what it is and not for its form:
/// as long, with the same marks in the same places and the same beginning.
pub(crate) fn stand_in(token: &RefreshToken) -> RefreshToken {
    let text = token.expose();
    let kind = if text.chars().count() > KIND + RANDOM { KIND } else { 0 };
    let is_hex =
        text.chars().skip(kind).filter(char::is_ascii_alphabetic).all(|mark| mark.is_ascii_hexdigit());
    let letters = if is_hex { b"abcdef".as_slice() } else { b"abcdefghijklmnopqrstuvwxyz".as_slice() };
    let mut drawn = 0;
    let other: String = text
        .chars()
        .enumerate()
        .map(|(place, mark)| {
            let from: &[u8] = match mark {
                '0'..='9' => b"0123456789",
                'a'..='z' | 'A'..='Z' => letters,
                _ => return mark,
            };
            if place < kind {
                return mark;
            }
            drawn += 1;
            let dice = usize::from(u16::from_le_bytes(vault::random::octets()));
            let drawn = char::from(from[dice % from.len()]);
            if mark.is_ascii_uppercase() { drawn.to_ascii_uppercase() } else { drawn }
        })
        .collect();
    if drawn < RANDOM {
        return RefreshToken::from(vault::random::token().expose().as_str());
    }
    RefreshToken::from(other.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_has_the_looks_of_the_token_and_nothing_else_of_it() {
        for text in [
            "ghr_1B4a2e77838347a7E420ce178F2E7c6912E169246c34E1ccbF66C46812d16D5B1A9Dc86A1498",
            "1000.8cb99dxxxxxxxxxxxxx9be93.9b8xxxxxxxxxxxxxxxf",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            let other = stand_in(&RefreshToken::from(text));
            let other = other.expose();
            assert_eq!(other.len(), text.len());
            assert_eq!(other[..KIND], text[..KIND]);
            let kind =
                |mark: char| (mark.is_ascii_digit(), mark.is_ascii_lowercase(), mark.is_ascii_uppercase());
            assert!(text.chars().zip(other.chars()).all(|(a, b)| kind(a) == kind(b)), "{other}");
            let same =
                text.chars().zip(other.chars()).skip(KIND).filter(|(a, b)| a == b && a.is_alphanumeric());
            assert!(same.count() < text.len() / 2, "{other}");
        }
        let hex = stand_in(&RefreshToken::from("0123456789abcdef0123456789abcdef"));
        assert!(hex.expose().bytes().all(|octet| octet.is_ascii_hexdigit()));
    }

    #[test]
    fn a_token_too_short_to_be_made_another_of_gets_a_random_one() {
        for text in ["x", "short", "--------------------------------", "ünïcödé"] {
            let other = stand_in(&RefreshToken::from(text));
            assert_eq!(other.expose().len(), 64, "{text}");
        }
    }
}
