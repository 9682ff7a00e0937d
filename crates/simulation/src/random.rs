//! Numbers that follow from a seed (SplitMix64): a trial is what its seed says, on every machine and in every thread.

/// A source of numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random(u64);

/// One in a hundred, in the unit of [`Random::strikes`].
pub(crate) const PERCENT: u32 = 10_000;

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of the trial with this index: neighbours have nothing in common.
    pub(crate) fn seed_of(base: u64, index: u64) -> u64 {
        Self(base ^ index.wrapping_mul(0xA076_1D64_78BD_642F)).next()
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = most.saturating_sub(least).max(0).unsigned_abs() + 1;
        least.saturating_add_unsigned(self.next() % span)
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % count).unwrap_or(0)
    }

    /// Whether something happens that does so in `millionths` of all cases.
    pub(crate) fn strikes(&mut self, millionths: u32) -> bool {
        millionths > 0 && self.next() % 1_000_000 < u64::from(millionths)
    }
}
