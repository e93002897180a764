//! How long a cause may last before the wait is pointless.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::cluster::diagnose::{Cause, Kind, Patience};

/// When each cause was first seen, so that those with limited patience run out of it.
#[derive(Debug, Default)]
pub(super) struct Patient(HashMap<(String, Kind), Instant>);

/// What the causes of now mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Until something changes, or until then.
    Wait {
        until: Option<Instant>,
    },
    Doomed(Cause),
}

impl Patient {
    pub(super) fn judge(&mut self, causes: &[Cause], now: Instant) -> Verdict {
        // A cause that went away and comes back starts anew.
        self.0.retain(|key, _| causes.iter().any(|cause| (&cause.subject, cause.kind) == (&key.0, key.1)));
        let mut until: Option<Instant> = None;
        for cause in causes {
            let since = *self.0.entry((cause.subject.clone(), cause.kind)).or_insert(now);
            let end = match cause.patience {
                Patience::None => return Verdict::Doomed(cause.clone()),
                Patience::For(patience) => since + patience,
                Patience::Unlimited => continue,
            };
            if end <= now {
                return Verdict::Doomed(cause.clone());
            }
            until = Some(until.map_or(end, |until| until.min(end)));
        }
        Verdict::Wait { until }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cause(patience: Patience) -> Cause {
        Cause { subject: "p".into(), kind: Kind::Quota, text: String::new(), patience, log: None }
    }

    #[tokio::test]
    async fn limited_patience_ends_and_a_new_text_does_not_renew_it() {
        let (mut patient, now) = (Patient::default(), Instant::now());
        let limited = cause(Patience::For(Duration::from_secs(10)));
        let end = now + Duration::from_secs(10);
        assert_eq!(patient.judge(std::slice::from_ref(&limited), now), Verdict::Wait { until: Some(end) });
        let reworded = Cause { text: "used: 3".into(), ..limited };
        assert_eq!(patient.judge(std::slice::from_ref(&reworded), end), Verdict::Doomed(reworded));
    }

    #[tokio::test]
    async fn a_cause_that_went_away_starts_anew() {
        let (mut patient, now) = (Patient::default(), Instant::now());
        let limited = cause(Patience::For(Duration::from_secs(10)));
        patient.judge(std::slice::from_ref(&limited), now);
        let later = now + Duration::from_secs(9);
        assert_eq!(patient.judge(&[], later), Verdict::Wait { until: None });
        let end = later + Duration::from_secs(10);
        assert_eq!(patient.judge(std::slice::from_ref(&limited), later), Verdict::Wait { until: Some(end) });
    }

    #[tokio::test]
    async fn the_hopeless_is_not_waited_for_and_the_harmless_never_ends_a_wait() {
        let (mut patient, now) = (Patient::default(), Instant::now());
        let harmless = cause(Patience::Unlimited);
        assert_eq!(patient.judge(&[harmless], now), Verdict::Wait { until: None });
        let hopeless = cause(Patience::None);
        assert_eq!(patient.judge(std::slice::from_ref(&hopeless), now), Verdict::Doomed(hopeless));
    }
}
