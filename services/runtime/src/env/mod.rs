//! Configuration from environment variables: typed, with every mistake reported at once.
//!
//! A variable that is unset or empty has its default, as the OpenTelemetry specification has it for its own. Reading
//! goes through a lookup function, so that tests never touch the process's environment.

mod value;

use std::fmt;

pub use value::{Period, Value};

/// Reads variables and remembers each of them, for `--help` and for the list of mistakes.
pub struct Env<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    read: Vec<Variable>,
    mistakes: Vec<Mistake>,
}

/// A variable that the program reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    /// What holds when it is not set.
    pub default: String,
    /// What it is for.
    pub about: &'static str,
}

/// A variable whose value can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub name: String,
    pub value: String,
    pub allowed: String,
}

/// Every variable whose value can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct EnvError(pub Vec<Mistake>);

impl<'a> Env<'a> {
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, read: Vec::new(), mistakes: Vec::new() }
    }

    /// The variable's value, or `default`; a value that can't be used is remembered for [`Env::finish`].
    pub fn get<T: Value>(&mut self, name: &'static str, default: T, about: &'static str) -> T {
        self.get_where(name, default, about, T::ALLOWED, |_| true)
    }

    /// As [`Env::get`], for a value that must also be `valid`; `allowed` says what that is.
    pub fn get_where<T: Value>(
        &mut self,
        name: &'static str,
        default: T,
        about: &'static str,
        allowed: &str,
        valid: impl Fn(&T) -> bool,
    ) -> T {
        self.read.push(Variable { name, default: default.text(), about });
        let Some(text) = (self.lookup)(name).filter(|text| !text.is_empty()) else {
            return default;
        };
        if let Some(value) = T::parse(&text).filter(valid) {
            return value;
        }
        self.mistake(name, &T::quoted(&text), allowed);
        default
    }

    /// Remembers for [`Env::finish`] that `name` can't have `value`: where more than the value itself decides it.
    pub fn mistake(&mut self, name: &str, value: &str, allowed: &str) {
        self.mistakes.push(Mistake { name: name.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() });
    }

    /// The variables read so far, in order.
    pub fn variables(&self) -> &[Variable] {
        &self.read
    }

    /// `value` when every variable was good.
    pub fn finish<T>(self, value: T) -> Result<T, EnvError> {
        if self.mistakes.is_empty() { Ok(value) } else { Err(EnvError(self.mistakes)) }
    }
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("read", &self.read).field("mistakes", &self.mistakes).finish_non_exhaustive()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, allowed } = self;
        write!(f, "{name}={value:?} can't be used; allowed: {allowed}")
    }
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn address() -> SocketAddr {
        "127.0.0.1:8000".parse().unwrap()
    }

    #[test]
    fn unset_and_empty_variables_have_their_defaults() {
        let lookup = |name: &str| (name == "EMPTY").then(String::new);
        let mut env = Env::new(&lookup);

        assert_eq!(env.get("UNSET", address(), ""), address());
        assert_eq!(env.get("EMPTY", Duration::from_secs(5), ""), Duration::from_secs(5));
        assert_eq!(env.finish(()), Ok(()));
    }

    #[test]
    fn every_mistake_is_reported_with_name_value_and_what_is_allowed() {
        let lookup = |name: &str| match name {
            "LISTEN_ADDR" => Some("localhost".to_owned()),
            "DRAIN_DELAY" => Some("5".to_owned()),
            "GOOD" => Some("1m".to_owned()),
            _ => None,
        };
        let mut env = Env::new(&lookup);
        let _ = env.get("LISTEN_ADDR", address(), "");
        let _ = env.get("DRAIN_DELAY", Duration::ZERO, "");
        assert_eq!(env.get("GOOD", Duration::ZERO, ""), Duration::from_mins(1));

        let told = env.finish(()).unwrap_err().to_string();

        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert!(lines[0].starts_with(r#"LISTEN_ADDR="localhost" can't be used; allowed: an IP address"#));
        assert!(lines[1].starts_with(r#"DRAIN_DELAY="5" can't be used; allowed: a duration"#));
    }

    #[test]
    fn a_value_out_of_its_range_is_a_mistake_too() {
        let lookup = |_: &str| Some("0".to_owned());
        let mut env = Env::new(&lookup);

        let kept = env.get_where("MAX_CONNECTIONS", 1024_usize, "", "1 or more", |n| *n > 0);

        assert_eq!(kept, 1024);
        let told = env.finish(()).unwrap_err().to_string();
        assert_eq!(told, r#"MAX_CONNECTIONS="0" can't be used; allowed: 1 or more"#);
    }

    #[test]
    fn variables_are_listed_in_the_order_they_are_read_with_their_defaults() {
        let lookup = |_: &str| None;
        let mut env = Env::new(&lookup);
        let _ = env.get("ADDR", address(), "where");
        let _ = env.get("DELAY", Duration::from_millis(1500), "how long");

        let told: Vec<_> = env.variables().iter().map(|v| (v.name, v.default.as_str())).collect();

        assert_eq!(told, [("ADDR", "127.0.0.1:8000"), ("DELAY", "1500ms")]);
    }
}
