//! A bounded collection: the oldest goes when there is no room for another.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::rand;

/// What a collection holds at most.
const CAPACITY: usize = 10_000;

/// Things by their id, in the order in which they came to be.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    items: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Shelf<T> {
    pub(super) fn insert(&mut self, id: String, item: T) {
        if self.items.insert(id.clone(), item).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.items.remove(&oldest);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.items.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.items.get_mut(id)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let removed = self.items.remove(id)?;
        self.order.retain(|other| other != id);
        Some(removed)
    }

    /// All, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (&str, &T)> {
        self.order.iter().rev().filter_map(|id| Some((id.as_str(), self.items.get(id)?)))
    }
}

/// A new id: the prefix and 16 random characters.
pub(super) fn new_id(prefix: &str) -> String {
    const CHARACTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut octets = [0; 16];
    rand::fill(&mut octets).expect("the operating system gives randomness, or the process must not go on");
    octets.iter().fold(prefix.to_owned(), |mut id, octet| {
        id.push(char::from(CHARACTERS[usize::from(octet % 32)]));
        id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_the_shelf_is_full() {
        let mut shelf = Shelf::default();
        for number in 0..=CAPACITY {
            shelf.insert(number.to_string(), number);
        }
        assert_eq!((shelf.get("0"), shelf.get("1")), (None, Some(&1)));
        assert_eq!(shelf.newest_first().next(), Some(("10000", &CAPACITY)));
        assert_eq!(shelf.newest_first().count(), CAPACITY);
    }
}
