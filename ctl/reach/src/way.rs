//! Which way a call takes from here to a service.

use std::fmt;
use std::str::FromStr;

/// A way from here to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Through a relay pod: cluster DNS, balancing and policy as a pod of that namespace has them.
    Relay,
    /// A plain connection, for those who run inside the cluster's network.
    Direct,
    /// To processes of this machine, through whoever runs them: no cluster is asked.
    Local,
}

impl Way {
    /// Every way that may be asked for, in the order in which help texts name them.
    pub const ALL: [Self; 2] = [Self::Relay, Self::Direct];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Direct => "direct",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown way \"{0}\": use relay or direct")]
pub struct UnknownWay(String);

impl FromStr for Way {
    type Err = UnknownWay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|way| way.as_str() == text).ok_or_else(|| UnknownWay(text.to_owned()))
    }
}

/// The way asked for; else direct in a pod and the relay everywhere else.
pub fn resolve_way(asked: Option<Way>) -> Way {
    asked.unwrap_or(if crate::client::in_pod() { Way::Direct } else { Way::Relay })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_parsed_from_its_own_name() {
        for way in Way::ALL {
            assert_eq!(way.to_string().parse(), Ok(way));
        }
        assert_eq!("walk".parse::<Way>().unwrap_err().to_string(), "unknown way \"walk\": use relay or direct");
    }
}
