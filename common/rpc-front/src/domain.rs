//! Domains: finding, defining, starting, stopping, and what is known of them without asking a guest.
//!
//! libvirt's 400 calls are about 180 verbs: here the old and the new forms of a call become the one verb of the engine.

mod life;
mod list;
mod metadata;
mod view;

use crate::{Hypervisor, routes::Routes};

pub(crate) fn routes() -> Routes<Hypervisor> {
    list::routes().and(view::routes()).and(life::routes()).and(metadata::routes())
}
