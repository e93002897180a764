//! What talks to the API server: plan, apply, watch, diagnose.
