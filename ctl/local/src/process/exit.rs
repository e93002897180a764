//! How a process ended, in words.

use std::fmt;

use nix::sys::signal::Signal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// The guard ended, or the kernel did not say.
    Unknown,
}

impl Exit {
    pub(super) fn new(code: Option<i32>, signal: Option<i32>) -> Self {
        code.map(Self::Code).or(signal.map(Self::Signal)).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "killed by {}", signal.as_str()),
                Err(_) => write!(f, "killed by signal {number}"),
            },
            Self::Unknown => f.write_str("ended for an unknown reason"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_named_as_a_shell_user_knows_it() {
        assert_eq!(Exit::new(Some(3), None).to_string(), "exit code 3");
        assert_eq!(Exit::new(None, Some(11)).to_string(), "killed by SIGSEGV");
        assert_eq!(Exit::new(None, Some(40)).to_string(), "killed by signal 40");
    }
}
