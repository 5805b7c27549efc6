//! Pools, volumes and secrets: one file per part, one line per procedure.

mod find;
mod pool;
mod secret;
mod transfer;
mod volume;
mod watch;

use crate::{Storage, routes::Routes};

pub(crate) use transfer::{download, upload};

pub(crate) fn routes() -> Routes<Storage> {
    find::routes()
        .and(pool::routes())
        .and(volume::routes())
        .and(transfer::routes())
        .and(secret::routes())
        .and(watch::routes())
}
