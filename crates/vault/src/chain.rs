//! What ties audit entries to each other: every entry's hash covers its predecessor's hash and its own text, so that a
//! changed, removed or reordered row is found.

use aws_lc_rs::digest;

/// The hash of one audit entry: `SHA-256(previous ‖ entry)`; the first entry of a chain stands on [`ROOT`].
pub type ChainHash = [u8; 32];

/// What the first entry of every chain stands on.
pub const ROOT: ChainHash = [0; 32];

/// Links an entry to its predecessor.
pub fn link(previous: &ChainHash, entry: &[u8]) -> ChainHash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(previous);
    context.update(entry);
    context.finish().as_ref().try_into().expect("SHA-256 has 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_depends_on_its_text_and_on_its_place() {
        let first = link(&ROOT, b"one");
        assert_ne!(first, link(&ROOT, b"two"));
        assert_ne!(link(&first, b"two"), link(&ROOT, b"two"));
    }
}
