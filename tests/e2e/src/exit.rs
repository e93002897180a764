//! How msctl ends, as the README tells scripts.

pub const FAILED: i32 = 1;
pub const USAGE: i32 = 2;
pub const UNREACHABLE: i32 = 3;
pub const ROLLOUT_FAILED: i32 = 4;
pub const CALLEE_FAILED: i32 = 5;
pub const FORBIDDEN: i32 = 7;
pub const TIMED_OUT: i32 = 70;
pub const INTERRUPTED: i32 = 130;
