//! What the seed decides of the kills: for each place in the fleet, one life after the other, and how each ends.
//!
//! The places run side by side, so a replay repeats every life but not how they interleave.

use std::time::Duration;

use test_postgres::Kill;

use crate::random::Random;

/// A's points, and those of its database.
const POINTS_A: &[(&str, u64)] = &[
    ("a.before_write", 60),
    ("a.after_write", 60),
    ("a.before_delivery", 60),
    ("a.after_delivery", 60),
    ("a.after_claim", 3),
    ("database.before_commit", 60),
    ("database.after_commit", 60),
];
const POINTS_B: &[(&str, u64)] =
    &[("b.before_write", 60), ("b.after_write", 60), ("database.before_commit", 60), ("database.after_commit", 60)];

/// Which service a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    A,
    B,
}

/// A service's process from its start to its death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// The fail point that kills it, and at which pass.
    pub(crate) point: Option<(&'static str, u64)>,
    /// How long it is halted in the middle of its life: long enough, at times, for its leases to end meanwhile.
    pub(crate) pause: Option<Duration>,
    /// When it is killed from outside, if it still lives.
    pub(crate) lasts: Duration,
    /// How long it stays dead.
    pub(crate) dead: Duration,
}

/// A Postgres server from one start to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reign {
    pub(crate) lasts: Duration,
    pub(crate) kill: Kill,
    pub(crate) dead: Duration,
}

/// The lives of the process `index` of `who`.
pub(crate) fn lives(seed: u64, who: Who, index: usize) -> impl Iterator<Item = Life> {
    let (stream, points) = match who {
        Who::A => ("lives of a", POINTS_A),
        Who::B => ("lives of b", POINTS_B),
    };
    let mut random = Random::new(seed, stream, index as u64);
    std::iter::repeat_with(move || {
        let point = random.chance(60).then(|| {
            let (point, most) = *random.pick(points);
            (point, random.between(1, most))
        });
        let pause = random.chance(3).then(|| millis(&mut random, 100, 4_500));
        Life { point, pause, lasts: millis(&mut random, 20, 1_500), dead: millis(&mut random, 0, 200) }
    })
}

/// The reigns of the Postgres server `index`, which are `mean` long on average.
pub(crate) fn reigns(seed: u64, index: usize, mean: Duration) -> impl Iterator<Item = Reign> {
    let mut random = Random::new(seed, "reigns", index as u64);
    let longest = u64::try_from(mean.as_millis()).unwrap_or(u64::MAX / 2) * 2;
    std::iter::repeat_with(move || Reign {
        lasts: millis(&mut random, 100, longest.max(100)),
        kill: if random.chance(50) { Kill::Postmaster } else { Kill::Everything },
        dead: millis(&mut random, 0, 300),
    })
}

fn millis(random: &mut Random, from: u64, to: u64) -> Duration {
    Duration::from_millis(random.between(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_every_life_and_another_does_not() {
        let first = |seed, who, index| lives(seed, who, index).take(50).collect::<Vec<_>>();
        assert_eq!(first(1, Who::A, 0), first(1, Who::A, 0));
        assert_ne!(first(1, Who::A, 0), first(2, Who::A, 0));
        assert_ne!(first(1, Who::A, 0), first(1, Who::A, 1));
        let mean = Duration::from_secs(5);
        assert_eq!(reigns(1, 0, mean).nth(9), reigns(1, 0, mean).nth(9));
    }

    #[test]
    fn every_point_and_both_kills_come_up() {
        for (who, points) in [(Who::A, POINTS_A), (Who::B, POINTS_B)] {
            let drawn: Vec<_> = lives(3, who, 0).take(500).filter_map(|life| life.point).collect();
            for (point, most) in points {
                assert!(drawn.iter().any(|(name, _)| name == point), "{point}");
                assert!(drawn.iter().filter(|(name, _)| name == point).all(|(_, pass)| (1..=*most).contains(pass)));
            }
        }
        for kill in [Kill::Postmaster, Kill::Everything] {
            assert!(reigns(3, 0, Duration::from_secs(5)).take(50).any(|reign| reign.kill == kill));
        }
    }
}
