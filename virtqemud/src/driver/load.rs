//! The first steps of the engine: definitions, running guests, domains that start with the host.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;
use virtbus_api::{ClientLease, Error, Result, flags::StartFlags, refs::LeaseGuard};
use virtbus_store::Broken;

use super::Qemu;
use crate::domain::{Handle, command::Command, definition::Definition, reconnect, view::View};

impl Qemu {
    /// Finds all domains: reads the definitions and takes over the guests that run. When it returns, reads are right;
    /// what QEMU has to be asked is asked in the background.
    ///
    /// # Errors
    /// When a directory cannot be read at all. A single broken file is logged and left alone.
    pub async fn load(&self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || {
            for directory in [&shared.config.layout.run, &shared.config.layout.lib, &shared.config.layout.log] {
                std::fs::create_dir_all(directory)
                    .map_err(|error| Error::system(format!("cannot create '{}'", directory.display()), &error))?;
            }
            let definitions = shared.definitions.load(parse).map_err(|it| system(&it))?;
            let running = shared.status.load().map_err(|it| system(&it))?;
            Ok::<_, Error>((definitions, running))
        });
        let (definitions, running) =
            read.await.map_err(|error| Error::internal("reading the definitions").caused_by(error))??;
        report(&definitions.broken);
        report(&running.broken);
        let (defined, active) = (definitions.definitions.len(), running.running.len());
        for definition in newest(definitions.definitions) {
            self.add(definition);
        }
        for status in running.running {
            let name = status.domain.name.clone();
            let known = status.domain.uuid.and_then(|uuid| self.shared.registry.by_uuid(uuid).ok());
            if let Err(error) = reconnect::take_over(&self.shared, known, status) {
                tracing::error!(domain = name, "cannot take over: {error}");
            }
        }
        tracing::info!("{defined} domains are defined, {active} were running");
        Ok(())
    }

    fn add(&self, read: Read) {
        let Read { name, document: (uuid, definition), autostart, autostart_once, .. } = read;
        let definition = Arc::new(definition);
        let make = || Handle::new(View { autostart_once, ..View::off(&name, uuid, Some(definition), autostart) });
        if let Err(error) = self.shared.registry.claim(&name, uuid, make) {
            tracing::error!(domain = name, "its definition is left out: {error}");
        }
    }

    /// Reads each definition once and takes out those that are broken: their files are reported and left alone. For the
    /// background, since a client meets at most an error that says so.
    pub async fn check_definitions(&self) {
        let shared = Arc::clone(&self.shared);
        let checked = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            for handle in shared.registry.all() {
                let view = handle.view();
                let Some(Err(reason)) = view.definition.as_ref().map(|it| it.check()) else { continue };
                let path = shared.definitions.path(&view.name);
                tracing::error!("{} is left alone: {reason}", path.display());
                if view.live.is_none() {
                    shared.registry.remove(view.uuid, &view.name, || handle.retire());
                }
            }
            tracing::debug!("all definitions are read through after {:.0?}", begun.elapsed());
        });
        if let Err(error) = checked.await {
            tracing::error!("checking the definitions: {error}");
        }
    }

    /// The domains that start with the host, if this is the first daemon since it booted. Asked before clients come: what
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
        let starts = |view: &View| view.autostart || view.autostart_once;
        StartOfHost(self.shared.registry.all().into_iter().filter(|it| starts(&it.view())).collect())
    }

    /// Starts the domains that start with the host.
    pub async fn start_with_host(&self, StartOfHost(wanted): StartOfHost) {
        let guard = LeaseGuard::new(0);
        let delay = Duration::from_millis(self.shared.config.settings.auto_start_delay_ms);
        for handle in wanted {
            let lease: ClientLease = guard.lease();
            let view = handle.view();
            if view.autostart_once
                && let Err(error) = handle.tell(&self.shared, Command::SetAutostartOnce(false)).await
            {
                tracing::error!(domain = %view.name, "it will start with the host once more: {error}");
            }
            if view.state.is_active() {
                continue;
            }
            if let Err(error) = handle.tell(&self.shared, Command::Start(StartFlags::empty(), lease)).await {
                tracing::error!(domain = %handle.view().name, "cannot start with the host: {error}");
            }
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
    }

    /// Finds out what the host and its emulators can do, so that no client waits for it.
    pub async fn probe(&self) {
        self.shared.documents.prepare(&self.shared.capabilities).await;
    }
}

/// The domains that start with the host.
#[derive(Debug)]
pub struct StartOfHost(Vec<Handle>);

/// A definition with its UUID.
type Read = virtbus_store::Definition<(Uuid, Definition)>;

fn parse(text: &str) -> std::result::Result<(String, (Uuid, Definition)), String> {
    Definition::from_file(text).map(|(name, uuid, definition)| (name, (uuid, definition)))
}

/// A rename that was cut short leaves two files of one UUID; the newer one counts.
fn newest(definitions: Vec<Read>) -> Vec<Read> {
    let mut latest: HashMap<Uuid, std::time::SystemTime> = HashMap::with_capacity(definitions.len());
    for it in &definitions {
        let entry = latest.entry(it.document.0).or_insert(it.written);
        *entry = (*entry).max(it.written);
    }
    definitions.into_iter().filter(|it| latest.get(&it.document.0) == Some(&it.written)).collect()
}

fn report(broken: &[Broken]) {
    for Broken { path, reason } in broken {
        tracing::error!("{} is left alone: {reason}", path.display());
    }
}

fn system(error: &virtbus_store::Error) -> Error {
    Error::system(error.to_string(), &error.source)
}
