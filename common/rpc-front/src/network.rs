//! Networks: one file per part, one line per procedure.

mod find;
mod life;
mod metadata;
mod port;
mod view;
mod watch;

use crate::{Network, routes::Routes};

pub(crate) fn routes() -> Routes<Network> {
    find::routes()
        .and(view::routes())
        .and(metadata::routes())
        .and(life::routes())
        .and(port::routes())
        .and(watch::routes())
}
