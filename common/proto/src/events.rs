//! What the daemon sends unasked, in one place. The rows are in `table/event.rs` and `table/qemu_event.rs`.

pub use crate::route::Event;
pub use crate::table::event::*;
pub use crate::table::qemu_event::*;
