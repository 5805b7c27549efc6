//! The engine of virtstoraged: storage pools, volumes and secrets. It knows no wire; the fronts call it through `virtbus_api`.

pub mod config;
pub mod driver;
pub mod secret;

mod pool;
mod registry;

mod backend;
mod volume;

mod blocking;
mod fault;
mod header;
mod tool;
