//! What developers run: the set-up, the tiny guest, and the whole stack below a private root. The command line
//! (`main.rs`) and the end-to-end tests use the same code, so what a test starts is what `cargo xtask up` starts.
//!
//! It starts the daemons as programs and speaks to them through their sockets; it knows nothing of their insides.
#![allow(clippy::disallowed_methods, reason = "a developer's tool: it may block, and it starts programs of all kinds")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "progress is for the person at the terminal")]

pub mod bench;
pub mod build;
pub mod client;
pub mod command;
pub mod console;
pub mod demo;
pub mod fuzz;
pub mod guest;
pub mod lab;
pub mod ledgers;
pub mod processes;
pub mod setup;
pub mod stack;
pub mod test;
pub mod tidy;
