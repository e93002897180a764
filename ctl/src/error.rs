//! The top-level error: what, why, where, and the command to run next; and the exit codes.

use std::fmt;

/// How `msctl` ends, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Done.
    Done = 0,
    /// Failed for a reason that has no code of its own.
    Failed = 1,
    /// The command line or a file named on it is wrong; nothing was tried.
    Usage = 2,
    /// The API server cannot be reached.
    Unreachable = 3,
    /// A rollout cannot succeed.
    RolloutFailed = 4,
    /// The called service answered an error.
    CalleeFailed = 5,
    /// The API server forbids it.
    Forbidden = 7,
    /// A deadline passed.
    TimedOut = 70,
    /// Ctrl-C, SIGTERM or SIGHUP: one code for all.
    Interrupted = 130,
}

impl ExitCode {
    /// Of an msctl that this one ran.
    pub(crate) fn of_process(code: i32) -> Self {
        let all = [
            Self::Done,
            Self::Usage,
            Self::Unreachable,
            Self::RolloutFailed,
            Self::CalleeFailed,
            Self::Forbidden,
            Self::TimedOut,
            Self::Interrupted,
        ];
        all.into_iter().find(|known| *known as i32 == code).unwrap_or(Self::Failed)
    }
}

/// Of what keeps a way or the API server from being reached.
impl From<reach::Trouble> for ExitCode {
    fn from(trouble: reach::Trouble) -> Self {
        use reach::Trouble;
        match trouble {
            Trouble::Unreachable | Trouble::Untrusted => Self::Unreachable,
            Trouble::Unauthorized | Trouble::Forbidden => Self::Forbidden,
            Trouble::TimedOut => Self::TimedOut,
            _ => Self::Failed,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// The flags by which a command said where it works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Aim {
    /// `--project FILE`.
    pub(crate) project: Option<String>,
    /// `--local`, `-e staging`, or those of a cluster.
    pub(crate) place: Vec<String>,
    /// `-n shop`.
    pub(crate) namespace: Option<String>,
}

impl Aim {
    /// `text` with these flags in each of msctl's commands in it that say nothing else.
    pub(crate) fn applied(&self, text: &str) -> String {
        const MSCTL: &str = "msctl ";
        let mut aimed = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(MSCTL) {
            let (before, command) = rest.split_at(at);
            aimed.push_str(before);
            let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || "-_./".contains(c));
            let end = command.find([';', '`', ',']).unwrap_or(command.len());
            let (command, after) = command.split_at(end);
            let verb = command[MSCTL.len()..].split(' ').next().unwrap_or_default();
            let (head, tail) = command.split_at(MSCTL.len() + verb.len());
            aimed.push_str(head);
            if is_word {
                self.flags(verb, tail).for_each(|flag| aimed.extend([" ", flag]));
            }
            aimed.push_str(tail);
            rest = after;
        }
        aimed + rest
    }

    /// What `msctl VERB` lacks, with the words after it. One that says where by itself means that.
    fn flags<'a>(&'a self, verb: &str, words: &str) -> impl Iterator<Item = &'a str> {
        const ANYWHERE: [&str; 7] = ["call", "delete", "deploy", "logs", "scale", "status", "trace"];
        const HERE: [&str; 2] = ["up", "down"];
        let has = |flags: &[&str]| words.split(' ').any(|word| flags.contains(&word));
        let anywhere = ANYWHERE.contains(&verb);
        let project = (anywhere || HERE.contains(&verb)) && !has(&["--project"]);
        let place = anywhere && !has(&["-e", "--local", "--context"]);
        let namespace = anywhere && !has(&["-n", "--namespace", "-A", "--local"]);
        let project = self.project.iter().filter(move |_| project);
        let namespace = self.namespace.iter().filter(move |_| namespace);
        project.chain(self.place.iter().filter(move |_| place)).chain(namespace).map(String::as_str)
    }
}

/// What a person reads when a command fails.
///
/// Printed as `error: WHAT`, then a line for each `why`, the `where`, quoted blocks (log lines), and `next` commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    code: ExitCode,
    what: String,
    why: Vec<String>,
    place: Option<String>,
    quotes: Vec<Quote>,
    next: Vec<String>,
}

/// Lines that belong to an error, under a title: a pod's last log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

impl Error {
    /// `what` names the action and its object: "cannot deploy service-a".
    pub(crate) fn new(code: ExitCode, what: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            what: what.into(),
            why: Vec::new(),
            place: None,
            quotes: Vec::new(),
            next: Vec::new(),
        }))
    }

    /// The command line, or a file that it names, is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, what)
    }

    /// A cause; several may be given, the nearest first.
    #[must_use]
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        let why = why.into();
        if !why.is_empty() {
            self.0.why.push(why);
        }
        self
    }

    /// Every cause in an error's chain, itself first.
    #[must_use]
    pub(crate) fn caused_by(self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes: Vec<String> = Vec::new();
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many errors repeat their source in their own text.
            if !causes.iter().any(|known| known.contains(&text)) {
                causes.push(text);
            }
            next = cause.source();
        }
        causes.into_iter().fold(self, Self::why)
    }

    /// Where it happened: namespace, context, file and line.
    #[must_use]
    pub(crate) fn place(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    /// The same, from who knows less of it: what has been said already is nearer.
    #[must_use]
    pub(crate) fn or_place(mut self, place: impl Into<String>) -> Self {
        self.0.place.get_or_insert_with(|| place.into());
        self
    }

    /// Lines to show with it.
    #[must_use]
    pub(crate) fn quote(mut self, title: impl Into<String>, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.0.quotes.push(Quote { title: title.into(), lines });
        }
        self
    }

    /// The command to run next, or what to change.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.0.next.push(next.into());
        self
    }

    /// The same, where nobody has said any.
    #[must_use]
    pub(crate) fn or_next(self, next: impl Into<String>) -> Self {
        if self.0.next.is_empty() { self.next(next) } else { self }
    }

    /// Makes the commands to run next mean the place that this one meant.
    #[must_use]
    pub(crate) fn aimed(mut self, aim: &Aim) -> Self {
        for next in &mut self.0.next {
            *next = aim.applied(next);
        }
        self
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.0.code
    }

    pub(crate) fn what(&self) -> &str {
        &self.0.what
    }

    /// The command to run next, if a signal ended it.
    #[must_use]
    pub(crate) fn next_if_interrupted(self, next: impl Into<String>) -> Self {
        if self.code() == ExitCode::Interrupted { self.next(next) } else { self }
    }

    /// As `or_place`, for what was being done: an error of what was said has nothing to do with where.
    #[must_use]
    pub(crate) fn or_scene(self, place: impl Into<String>) -> Self {
        if self.code() == ExitCode::Usage { self } else { self.or_place(place) }
    }

    /// What, and the nearest cause.
    pub(crate) fn in_a_line(&self) -> String {
        match self.0.why.first() {
            Some(why) => format!("{}: {why}", self.what()),
            None => self.what().to_owned(),
        }
    }

    /// The lines under `what`, each with the word it starts with.
    pub(crate) fn rest(&self) -> Vec<(&'static str, String)> {
        let mut lines: Vec<(&'static str, String)> = self.0.why.iter().map(|why| ("why", why.clone())).collect();
        lines.extend(self.0.place.iter().map(|place| ("where", place.clone())));
        for quote in &self.0.quotes {
            lines.push(("", format!("{}:", quote.title)));
            lines.extend(quote.lines.iter().map(|line| ("", format!("  {line}"))));
        }
        lines.extend(self.0.next.iter().map(|next| ("next", next.clone())));
        lines
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what())?;
        for (word, text) in self.rest() {
            match word {
                "" => write!(f, "\n  {text}")?,
                word => write!(f, "\n  {word}: {text}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The known name that is nearest to `given`, when it is near enough to be a slip of the fingers.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(given, name), name))
        .filter(|&(distance, name)| distance <= name.len().max(given.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_where_and_the_next_command() {
        let error = Error::new(ExitCode::RolloutFailed, "service-a did not become ready")
            .why("the image does not exist")
            .place("namespace shop, context dev")
            .quote("last log lines of service-a-1", vec!["boom".into()])
            .next("msctl status -n shop");
        assert_eq!(
            error.to_string(),
            "error: service-a did not become ready\n  why: the image does not exist\n  where: namespace shop, \
             context dev\n  last log lines of service-a-1:\n    boom\n  next: msctl status -n shop"
        );
    }

    #[test]
    fn what_is_known_further_out_fills_gaps_and_replaces_nothing() {
        let outer = |error: Error| error.or_place("namespace shop").or_next("msctl call --help").to_string();
        let bare = Error::usage("x");
        assert_eq!(outer(bare.clone()), "error: x\n  where: namespace shop\n  next: msctl call --help");
        let said = bare.place("--set a").next("msctl status");
        assert_eq!(outer(said), "error: x\n  where: --set a\n  next: msctl status");
    }

    #[test]
    fn the_next_command_means_the_same_place() {
        let error = Error::new(ExitCode::Failed, "x")
            .next("msctl status service-a")
            .next("msctl status --local")
            .next("msctl up")
            .next("msctl update")
            .next("kubectl get pods")
            .next("msctl trace A shows it; `msctl call A -n x` makes one");
        let next =
            |aim: Aim| -> Vec<String> { error.clone().aimed(&aim).rest().into_iter().map(|(_, next)| next).collect() };
        let local = || vec!["--local".to_owned()];
        assert_eq!(
            next(Aim { place: local(), ..Aim::default() }),
            [
                "msctl status --local service-a",
                "msctl status --local",
                "msctl up",
                "msctl update",
                "kubectl get pods",
                "msctl trace --local A shows it; `msctl call --local A -n x` makes one"
            ]
        );
        assert_eq!(
            next(Aim { project: Some("--project shop".to_owned()), place: local(), namespace: None }),
            [
                "msctl status --project shop --local service-a",
                "msctl status --project shop --local",
                "msctl up --project shop",
                "msctl update",
                "kubectl get pods",
                "msctl trace --project shop --local A shows it; `msctl call --project shop --local A -n x` makes one"
            ]
        );
        assert_eq!(
            next(Aim { namespace: Some("-n shop".to_owned()), ..Aim::default() })[5],
            "msctl trace -n shop A shows it; `msctl call A -n x` makes one"
        );
    }

    #[test]
    fn a_slip_of_the_fingers_is_recognised_and_another_name_is_not() {
        let known = ["service-a", "service-b"];
        assert_eq!(did_you_mean("servce-a", known), Some("service-a"));
        assert_eq!(did_you_mean("service-c", known), Some("service-a"));
        assert_eq!(did_you_mean("orders", known), None);
        assert_eq!(did_you_mean("shpo", ["default", "shop"]), Some("shop"));
    }

    #[test]
    fn causes_that_repeat_each_other_are_said_once() {
        let inner = std::io::Error::other("connection refused");
        let outer = std::io::Error::other(inner);
        let error = Error::new(ExitCode::Failed, "x").caused_by(&outer);
        assert_eq!(error.rest(), vec![("why", "connection refused".to_owned())]);
    }
}
