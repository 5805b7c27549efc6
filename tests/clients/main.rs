//! Unmodified clients against the real daemons: virsh, python3-libvirt, Sys::Virt, busctl.
//!
//! The cases are files: sessions of commands, and scripts in the client's own language.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod busctl;
mod scripts;
mod virsh;
