//! Every row of the protocol, a file per kind of object, and the dense slices made of them.
//!
//! To find a procedure, know its object; `procedures!` in `record.rs` says how to read a row.

pub mod admin;
pub mod device;
pub mod domain;
pub mod event;
pub mod guest;
pub mod interface;
pub mod job;
pub mod keepalive;
pub mod migration;
pub mod network;
pub mod node;
pub mod nodedev;
pub mod nwfilter;
pub mod qemu;
pub mod qemu_event;
pub mod secret;
pub mod session;
pub mod snapshot;
pub mod storage;
pub mod tuning;

pub use self::{
    admin::*, device::*, domain::*, event::*, guest::*, interface::*, job::*, keepalive::*, migration::*, network::*,
    node::*, nodedev::*, nwfilter::*, qemu::*, qemu_event::*, secret::*, session::*, snapshot::*, storage::*,
    tuning::*,
};

use crate::header::Program;
use crate::route::Entry;

/// The public API, by number: procedure 1 comes first.
pub static REMOTE: [&Entry; 453] = dense(&[
    session::ENTRIES,
    domain::ENTRIES,
    device::ENTRIES,
    guest::ENTRIES,
    tuning::ENTRIES,
    job::ENTRIES,
    migration::ENTRIES,
    snapshot::ENTRIES,
    node::ENTRIES,
    nodedev::ENTRIES,
    network::ENTRIES,
    interface::ENTRIES,
    nwfilter::ENTRIES,
    storage::ENTRIES,
    secret::ENTRIES,
    event::ENTRIES,
]);

/// The calls that only QEMU has, by number.
pub static QEMU: [&Entry; 7] = dense(&[qemu::ENTRIES, qemu_event::ENTRIES]);

/// The calls of the admin socket, by number.
pub static ADMIN: [&Entry; 20] = dense(&[admin::ENTRIES]);

/// Ping and pong.
pub static KEEPALIVE: [&Entry; 2] = dense(&[keepalive::ENTRIES]);

/// The row of procedure `number` in `program`, in constant time; `None` where either is unknown.
pub fn entry(program: u32, number: i32) -> Option<&'static Entry> {
    let rows: &[&Entry] = match Program::from_number(program)? {
        Program::Remote => &REMOTE,
        Program::Qemu => &QEMU,
        Program::Admin => &ADMIN,
        Program::Keepalive => &KEEPALIVE,
        Program::Lxc => &[],
    };
    rows.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
}

/// Sorts rows by number. A number that is missing, doubled or out of range stops the build.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "runs in rustc")]
const fn dense<const N: usize>(files: &[&[&'static Entry]]) -> [&'static Entry; N] {
    let first = files[0][0];
    let mut rows = [first; N];
    let mut seen = [false; N];
    let mut left = N;
    let mut file = 0;
    while file < files.len() {
        let mut row = 0;
        while row < files[file].len() {
            let entry = files[file][row];
            let slot = (entry.number - 1) as usize;
            assert!(slot < N, "a procedure's number is out of range");
            assert!(!seen[slot], "two procedures have the same number");
            assert!(entry.program.number() == first.program.number(), "a row is in the wrong program");
            rows[slot] = entry;
            seen[slot] = true;
            left -= 1;
            row += 1;
        }
        file += 1;
    }
    assert!(left == 0, "a procedure is missing");
    rows
}

#[cfg(any(test, feature = "testing"))]
pub(crate) static SHAPES: &[&[crate::testing::RowShapes]] = &[
    session::SHAPES,
    domain::SHAPES,
    device::SHAPES,
    guest::SHAPES,
    tuning::SHAPES,
    job::SHAPES,
    migration::SHAPES,
    snapshot::SHAPES,
    node::SHAPES,
    nodedev::SHAPES,
    network::SHAPES,
    interface::SHAPES,
    nwfilter::SHAPES,
    storage::SHAPES,
    secret::SHAPES,
    event::SHAPES,
    qemu::SHAPES,
    qemu_event::SHAPES,
    admin::SHAPES,
    keepalive::SHAPES,
];
