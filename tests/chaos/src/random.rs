//! Random numbers that the same seed makes again, in every version and on every machine.

/// `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014): small, and its numbers never change with a crate's version.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of `stream`'s `n`-th part: what one part of a run draws changes nothing for the others.
    pub(crate) fn new(seed: u64, stream: &str, n: u64) -> Self {
        let mut random = Self(seed);
        for byte in stream.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random.0 = random.next() ^ n;
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    pub(crate) fn chance(&mut self, per_cent: u64) -> bool {
        self.between(1, 100) <= per_cent
    }

    /// # Panics
    /// When there is none to pick from.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = u64::try_from(from.len()).expect("a length") - 1;
        &from[usize::try_from(self.between(0, last)).expect("an index")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_numbers_and_streams_are_apart() {
        let first = |seed, stream, n| Random::new(seed, stream, n).next();
        assert_eq!(first(1, "a", 0), first(1, "a", 0));
        // Written down, so that a later version replays the seeds of an earlier one.
        assert_eq!(Random(0).next(), 0xe220_a839_7b1d_cdaf);
        let different = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1), first(1, "", 0)];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[at + 1..].contains(one), "{different:?}");
        }
    }

    #[test]
    fn bounds_are_included_and_kept() {
        let mut random = Random::new(7, "bounds", 0);
        let drawn: Vec<_> = (0..200).map(|_| random.between(3, 5)).collect();
        assert!((3..=5).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| (3..=5).contains(n)));
    }
}
