//! The engine of virtnetworkd: networks. It knows no wire; the fronts call it through `virtbus_api`.
//!
//! Reading order: [`driver`] is what the fronts call; the registry finds a network's handle; its owner ([`network`]) does what
//! is asked, with [`update`] and [`port`] deciding, and [`bridge`], [`address`], [`firewall`], [`dhcp`] and [`bandwidth`] doing.

pub mod address;
pub mod bandwidth;
mod blocking;
pub mod bridge;
pub mod config;
pub mod dhcp;
pub mod driver;
mod fault;
pub mod firewall;
pub mod forward;
mod hook;
mod network;
mod pool;
mod port;
mod registry;
pub mod update;

#[cfg(test)]
pub(crate) mod testing;
