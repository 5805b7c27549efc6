//! QEMU's machine protocol: the codec, a client with deadlines, commands and events as types.
//!
//! Everything that comes from QEMU is hostile input: bounded, checked, never a reason to panic. This crate knows how to
//! ask QEMU; what to ask, and what an answer means for a domain, the engine knows.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use virtbus_qmp::{Client, commands::QueryStatus};
//! # async fn example(socket: std::os::unix::net::UnixStream) -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events) = Client::new(socket, "domain vm1")?;
//! let status = client.execute(&QueryStatus, Duration::from_secs(5)).await?;
//! while let Some(event) = events.next().await {
//!     println!("{}: {:?}", event.name, event.kind);
//! }
//! # drop(status);
//! # Ok(())
//! # }
//! ```

pub mod client;
pub mod codec;
pub mod command;
pub mod commands;
pub mod events;

pub use client::{Client, Error, Events};
pub use codec::{Greeting, QmpError, Timestamp, Version, VersionInfo};
pub use command::Command;
pub use events::{Event, Kind};
