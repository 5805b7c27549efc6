//! The first steps of the engine: definitions, pools that were active, pools that start with the host.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;
use virtbus_api::{Result, flags::PoolCreateFlags};
use virtbus_schema::StoragePool;
use virtbus_schema::storage_pool_status::StoragePoolStatus;
use virtbus_store::Broken;

use super::Storage;
use crate::fault;
use crate::pool::{Handle, command::Command, view::View};

/// How long clients wait at first for pools that were active. One that takes longer shows when it answers.
const FIRST_LOOK: Duration = Duration::from_secs(3);

impl Storage {
    /// Finds all pools: reads the definitions, and goes on with those that are active. One whose file system does not
    /// answer holds this up for a moment at most.
    ///
    /// # Errors
    /// When a directory cannot be read at all. A single broken file is logged and left alone.
    pub async fn load(&self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || {
            let directory = &shared.config.layout.run;
            std::fs::create_dir_all(directory).map_err(fault::at("cannot create", directory))?;
            let defined = shared.definitions.load(parse).map_err(|it| fault::system(&it, &it.source))?;
            let active = shared.status.load(parse_status).map_err(|it| fault::system(&it, &it.source))?;
            Ok::<_, virtbus_api::Error>((defined, active))
        });
        let (defined, active) =
            read.await.map_err(|error| fault::internal("reading the definitions").caused_by(error))??;
        report(&defined.broken);
        report(&active.broken);
        tracing::info!("{} pools are defined, {} were active", defined.definitions.len(), active.definitions.len());
        for it in defined.definitions {
            self.add(it.document, it.autostart);
        }
        let adopted = active.definitions.into_iter().filter_map(|it| self.adopt(it.document));
        // Those that are slow go on by themselves: their owners do the work.
        let _ = tokio::time::timeout(FIRST_LOOK, join_all(adopted)).await;
        Ok(())
    }

    fn add(&self, document: StoragePool, autostart: bool) {
        let Some(uuid) = document.uuid else { return };
        let document = Arc::new(document);
        let make = || Handle::new(View::off(&document.name, uuid, Some(Arc::clone(&document)), autostart));
        if let Err(error) = self.shared.registry.claim(&document, uuid, make) {
            tracing::error!(pool = document.name, "its definition is left out: {error}");
        }
    }

    fn adopt(&self, document: StoragePool) -> Option<impl Future<Output = ()> + use<>> {
        let (uuid, name) = (document.uuid?, document.name.clone());
        let make = || Handle::new(View::off(&name, uuid, None, false));
        let handle = match self.shared.registry.claim(&document, uuid, make) {
            Ok(handle) => handle,
            Err(error) => {
                tracing::error!(pool = name, "it was active and is left alone: {error}");
                return None;
            }
        };
        let shared = Arc::clone(&self.shared);
        // Asked for here already, so that a daemon that is slow to wait has it all under way.
        Some(async move {
            if let Err(error) = handle.tell(&shared, Command::Adopt(Box::new(document))).await {
                tracing::error!(pool = name, "it cannot be taken over: {error}");
            }
        })
    }

    /// The pools that start with the host, if this is the first daemon since it booted. Asked before clients come: what
    /// they mark for the next boot is not meant for this one.
    pub fn start_of_host(&self) -> StartOfHost {
        let marker = self.shared.config.layout.run.join("autostarted");
        // Created by exactly one daemon per boot: /run is empty then.
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&marker) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return StartOfHost(Vec::new()),
            Err(error) => {
                tracing::error!("cannot write {}: {error}", marker.display());
                return StartOfHost(Vec::new());
            }
        }
        StartOfHost(self.shared.registry.all().into_iter().filter(|it| it.view().autostart).collect())
    }

    /// Starts the pools that start with the host, side by side: none waits for another's server.
    pub async fn start_with_host(&self, StartOfHost(wanted): StartOfHost) {
        let start = |handle: Handle| async move {
            let view = handle.view();
            if view.live.is_some() {
                return;
            }
            if let Err(error) = handle.tell(&self.shared, Command::Start(PoolCreateFlags::empty())).await {
                tracing::error!(pool = %view.name, "cannot start with the host: {error}");
            }
        };
        join_all(wanted.into_iter().map(start)).await;
    }
}

/// The pools that start with the host.
#[derive(Debug)]
pub struct StartOfHost(Vec<Handle>);

fn named(mut pool: StoragePool) -> std::result::Result<(String, StoragePool), String> {
    pool.uuid.get_or_insert_with(Uuid::new_v4);
    Ok((pool.name.clone(), pool))
}

fn parse(text: &str) -> std::result::Result<(String, StoragePool), String> {
    named(StoragePool::parse(text).map_err(|error| error.to_string())?)
}

fn parse_status(text: &str) -> std::result::Result<(String, StoragePool), String> {
    named(StoragePoolStatus::parse(text).map_err(|error| error.to_string())?.pool)
}

fn report(broken: &[Broken]) {
    for Broken { path, reason } in broken {
        tracing::error!("{} is left alone: {reason}", path.display());
    }
}
