//! Kills services and databases under load, and compares what was acknowledged with what arrived.
