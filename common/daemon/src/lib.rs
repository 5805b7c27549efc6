//! What every daemon's `main` needs: command line, paths, configuration, log, sockets, signals, supervised tasks, the way
//! out.
//!
//! It knows nothing of guests, of wires or of what a daemon serves. A `main` reads, from top to bottom:
//!
//! ```text
//! start -> runtime -> activation::listen -> (engine) -> (fronts) -> notify::ready -> Life::until_stopped -> drain
//! ```

pub mod start;

pub mod activation;
pub mod args;
pub mod bus;
pub mod config;
pub mod drain;
pub mod idle;
pub mod logging;
pub mod notify;
pub mod paths;
pub mod pid_file;
pub mod signals;
pub mod tasks;

mod background;

pub use args::{Args, Program};
pub use paths::Paths;
pub use start::{Started, start};
pub use tasks::Tasks;
