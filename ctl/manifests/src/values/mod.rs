//! The values contract: the same keys, defaults and rules for the charts and for msctl.
//!
//! A user's files and `--set`s are gathered in [`UserValues`], laid over [`defaults`] by [`merge()`], and turned into [`Values`] by
//! [`resolve`].

mod check;
mod defaults;
pub(crate) mod formats;
mod image;
mod merge;
mod resolve;
mod scalar;
mod schema;
pub mod set;
pub mod types;
mod user;
mod yaml;

pub use check::Problem;
pub use defaults::{bundled, defaults};
pub use image::{ImageError, ImageReference};
pub use merge::{merge, overlay};
pub use resolve::{ValuesError, resolve};
pub use schema::{chart_schema, schema, umbrella_schema};
pub use types::Values;
pub use user::{UserValues, UserValuesError};
pub use yaml::{YamlError, parse_yaml};
