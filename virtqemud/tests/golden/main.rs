//! Definitions against the reference: what is filled in, and the command line that follows, byte by byte.
//!
//! [`own`] replays the project's cases, recorded from the reference (see `tests/golden/domain/record.py`); [`refused`] asks
//! under which codes it refuses others; [`corpus`] replays a
//! larger corpus where `GOLDEN_DIR` names one. What the emulator can do was probed once and is kept in `tests/golden/caps`, so
//! that no QEMU is needed here.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may fail, and says what it skips"
)]

mod corpus;
mod own;
mod refused;
mod support;
