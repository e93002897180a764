//! From a request onto the shelf.

use super::packed;
use super::shelf::{Origin, Shelf};
use super::texts::Text;
use crate::otlp::{self, AnyValue, Attributes, Malformed, Scope, Sink, Span};

/// What Jaeger calls the service of a resource without a name.
const NAMELESS: &str = "OTLPResourceNoServiceName";

/// What became of a request's spans, beside those that were stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Refused: their traces had been dropped.
    pub(crate) late: u64,
    /// Refused: their trace or span id was none.
    pub(crate) invalid: u64,
}

impl Shelf {
    pub(super) fn take(&mut self, request: &[u8]) -> Result<Taken, Malformed> {
        let mut intake = Intake { shelf: self, process: None, scope: None, taken: Taken::default() };
        otlp::walk(request, &mut intake)?;
        Ok(intake.taken)
    }
}

/// A request on its way. The resource and the scope that are current are in use here, also while no span of theirs is on
/// the shelf.
struct Intake<'s> {
    shelf: &'s mut Shelf,
    /// With the service's name.
    process: Option<(u32, u32)>,
    scope: Option<u32>,
    taken: Taken,
}

impl<'a> Sink<'a> for Intake<'_> {
    fn resource(&mut self, attributes: Attributes<'a>) {
        self.release();
        let name = attributes.iter().find_map(|attribute| match attribute {
            ("service.name", AnyValue::Text(name)) if !name.is_empty() => Some(name),
            _ => None,
        });
        let name = name.unwrap_or(NAMELESS);
        let mut packed = Vec::new();
        packed::process(&mut packed, &mut self.shelf.texts, name, attributes);
        let service = self.shelf.texts.number(name);
        self.process = Some((self.shelf.put_process(&packed), service));
    }

    fn scope(&mut self, scope: Scope<'a>) {
        self.release_scope();
        let mut packed = Vec::new();
        packed::scope(&mut packed, &mut self.shelf.texts, scope);
        self.scope = Some(self.shelf.put_scope(&packed));
    }

    fn span(&mut self, span: Option<Span<'a>>) {
        let (Some((process, service)), Some(scope)) = (self.process, self.scope) else { return };
        match span {
            Some(span) => self.shelf.add(&span, Origin { process, service, scope }, &mut self.taken),
            None => self.shelf.invalid(&mut self.taken),
        }
    }
}

impl Intake<'_> {
    fn release_scope(&mut self) {
        if let Some(scope) = self.scope.take() {
            self.shelf.release_scope(scope);
        }
    }

    fn release(&mut self) {
        self.release_scope();
        if let Some((process, service)) = self.process.take() {
            self.shelf.release_process(process);
            self.shelf.texts.release(Text::Number(service));
        }
    }
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        self.release();
    }
}
