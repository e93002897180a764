//! What the environment asks for: at which pass of which point something happens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Kill,
    Sleep(Duration),
}

#[derive(Debug)]
struct Rule {
    point: String,
    /// Counted from 1.
    pass: u64,
    action: Action,
    passed: AtomicU64,
}

/// Every rule of `FAILPOINTS`.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    rules: Vec<Rule>,
}

impl Plan {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rules = text.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(Rule::parse);
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Counts a pass of `point`; the rules that are due, with the number of the pass.
    pub(crate) fn pass(&self, point: &str) -> Vec<(Action, u64)> {
        let here = self.rules.iter().filter(|rule| rule.point == point);
        // Each rule counts for itself, and every one has to.
        let counted = here.map(|rule| (rule, rule.passed.fetch_add(1, Ordering::Relaxed) + 1));
        counted.filter(|(rule, pass)| rule.pass == *pass).map(|(rule, pass)| (rule.action, pass)).collect()
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (point, rest) = text.split_once('=')?;
            let (action, pass) = match rest.split_once('@') {
                Some((action, pass)) => (action, pass.parse().ok().filter(|pass| *pass > 0)?),
                None => (rest, 1),
            };
            let action = match action {
                "kill" => Action::Kill,
                sleep => {
                    let millis = sleep.strip_prefix("sleep(")?.strip_suffix("ms)")?.parse().ok()?;
                    Action::Sleep(Duration::from_millis(millis))
                }
            };
            Some(Self { point: point.to_owned(), pass, action, passed: AtomicU64::new(0) })
        };
        parsed().ok_or_else(|| format!("FAILPOINTS: {text:?} is neither POINT=kill@N nor POINT=sleep(MILLISms)@N"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_due_once_at_its_pass() {
        let plan = Plan::parse("a=kill@3, b=sleep(50ms)@2,a=sleep(1ms)").unwrap();
        let sleep = |millis| Action::Sleep(Duration::from_millis(millis));

        assert_eq!(plan.pass("a"), [(sleep(1), 1)]);
        assert_eq!(plan.pass("b"), []);
        assert_eq!(plan.pass("a"), []);
        assert_eq!(plan.pass("b"), [(sleep(50), 2)]);
        assert_eq!(plan.pass("a"), [(Action::Kill, 3)]);
        assert_eq!(plan.pass("a"), []);
        assert_eq!(plan.pass("unknown"), []);
    }

    #[test]
    fn no_text_is_no_rule_and_what_is_no_rule_is_told() {
        assert!(Plan::parse("").unwrap().rules.is_empty());
        for wrong in ["a", "a=die", "a=kill@0", "a=kill@x", "a=sleep(5)@1", "a=sleep(xms)"] {
            let told = Plan::parse(wrong).unwrap_err();
            assert!(told.contains(wrong) && told.contains("POINT=kill@N"), "{told}");
        }
    }
}
