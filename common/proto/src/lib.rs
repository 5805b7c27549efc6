//! The wire that libvirt clients speak, as plain data: XDR, the frame header and one table row per procedure.
//!
//! Read [`xdr`] for the encoding, [`header`] for the frame, [`route`] for what a row says about a procedure, and then
//! any file of `table`. Sockets, threads and what a call *does* are not known here: no I/O, no runtime, no meaning.
//! Names, numbers and limits are those of libvirt 11.3.0.
#![warn(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::indexing_slicing)]

pub mod error;
pub mod events;
pub mod header;
mod record;
pub mod route;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod types;
pub mod xdr;

pub use header::{FDS_MAX, HEADER_LEN, LENGTH_LEN, MESSAGE_MAX, PAYLOAD_MAX, STREAM_CHUNK_MAX, VERSION};
pub use header::{Header, HeaderError, MessageType, Program, Status};
pub use route::{Access, Entry, Event, Fds, Owner, Priority, Procedure, Stream};
pub use table::{ADMIN, KEEPALIVE, QEMU, REMOTE, entry};
pub use xdr::{DecodeError, EncodeError, STRING_MAX, Xdr};
