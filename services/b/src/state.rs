//! What B's handlers share.

use std::sync::Arc;

use crate::counts::Counts;
use crate::store::Store;
use crate::tally::Tally;

/// Cheap to clone: every request has its own.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tally: Tally,
    pub(crate) counts: Counts,
}
