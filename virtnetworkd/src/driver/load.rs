//! The first steps of the engine: definitions, networks that run, networks that start with the host.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use virtbus_api::{Result, flags::NetworkDefineFlags, network::Networks as _};
use virtbus_schema::Network;

use super::Networkd;
use crate::blocking::call;
use crate::fault;
use crate::firewall::Started;
use crate::network::{
    Handle,
    command::Command,
    files::{Found, report},
    view::{Live, View},
};
use crate::registry::Wanted;

/// How long clients wait for networks that ran before.
const RECOVERED: Duration = Duration::from_secs(20);
/// How long rules that were put back are left alone.
const RULES_AGAIN: Duration = Duration::from_secs(1);

/// The networks that start with the host.
#[derive(Debug)]
pub struct StartOfHost(Vec<Handle>);

impl Networkd {
    /// Finds all networks: reads the definitions and the status of those that run. When it returns, reads are right but for
    /// networks that ended behind our back; [`Networkd::recover`] looks for these.
    ///
    /// # Errors
    /// When a directory cannot be read at all. A single broken file is logged and left alone.
    pub async fn load(&self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let (definitions, running) = call("reading the networks", move || {
            let parse = |text: &str| Network::parse(text).map(|it| (it.name.clone(), it));
            let definitions = shared.definitions.load(parse).map_err(|it| fault::of_store(&it))?;
            Ok((definitions, shared.status.load()?))
        })
        .await?;
        report(&definitions.broken);
        tracing::info!("{} networks are defined, {} were active", definitions.definitions.len(), running.len());
        for it in definitions.definitions {
            self.add_defined(it.document, it.autostart).await;
        }
        for found in running {
            self.add_running(found);
        }
        self.shared.count_active();
        Ok(())
    }

    async fn add_defined(&self, document: Network, autostart: bool) {
        let name = document.name.clone();
        let is_whole = document.uuid.is_some()
            && (!document.mode().has_own_bridge() || document.bridge_name().is_some() && document.mac.is_some());
        if !is_whole {
            // Written by hand or by a package: what is made up is kept, so that it is the same tomorrow.
            let defined = self.define(Box::new(document), NetworkDefineFlags::empty()).await;
            match defined {
                Ok(network) if autostart => {
                    if let Err(error) = self.set_autostart(&network, true).await {
                        tracing::error!(network = name, "{error}");
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::error!(network = name, "its definition is left out: {error}"),
            }
            return;
        }
        let uuid = document.uuid.unwrap_or_default();
        let document = Arc::new(document);
        let view = View::off(&name, uuid, Some(Arc::clone(&document)), autostart);
        let bridges = view.bridges();
        // Two definitions may name one bridge; that is found out when both are started, as in the reference.
        match self.shared.registry.claim(&name, uuid, Wanted::None, || Handle::new(view)) {
            Ok(_) => self.shared.registry.note_bridges(uuid, &bridges),
            Err(error) => tracing::error!(network = name, "its definition is left out: {error}"),
        }
    }

    fn add_running(&self, found: Found) {
        let Found { document, ports } = found;
        let (name, uuid) = (document.name.clone(), document.uuid.unwrap_or_default());
        let live = Live::new(Arc::new(document), ports);
        let off = View::off(&name, uuid, None, false);
        match self.shared.registry.claim(&name, uuid, Wanted::None, || Handle::new(off)) {
            Ok(claim) => claim.handle.take_over(live, &self.shared),
            Err(error) => tracing::error!(network = name, "cannot take over: {error}"),
        }
    }

    /// Sees that what networks that ran before this daemon need is there: rules, addresses, servers. What ended with the host
    /// or by hand is off. For before anyone asks about networks; one that takes very long is looked after in the background.
    pub async fn recover(&self) {
        let engine = self.clone();
        let mut done = virtbus_host::task::spawn("recover networks", async move {
            engine.reload().await;
            let running = engine.shared.registry.all().into_iter().filter(|it| it.view().live.is_some());
            join_all(running.map(|handle| engine.recover_one(handle))).await;
        });
        if tokio::time::timeout(RECOVERED, &mut done).await.is_err() {
            tracing::warn!("networks that ran before are still being looked after; calls are answered meanwhile");
        }
    }

    async fn recover_one(&self, handle: Handle) {
        if let Err(error) = handle.tell(&self.shared, Command::Recover).await {
            tracing::error!(network = %handle.view().name, "not as it should be: {error}");
        }
    }

    /// Puts the rules of all active networks in place again, after others have taken them away.
    pub async fn reload(&self) {
        let views = self.shared.registry.all().into_iter().map(|it| it.view());
        let started = views.filter_map(|view| {
            let network = Arc::clone(&view.live.as_ref()?.document);
            let bridge = network.bridge_name().filter(|_| network.mode().has_own_bridge())?.to_owned();
            crate::bridge::exists(&bridge).then_some(Started { network, bridge })
        });
        let started: Vec<Started> = started.collect();
        if let Err(error) = self.shared.firewall.reload(&started).await {
            tracing::error!("the rules of networks could not be put in place: {error}");
        }
    }

    /// Puts the rules back whenever others take them away; does not end.
    pub async fn keep_rules(&self) {
        loop {
            self.shared.firewall.lost().await;
            tracing::info!("others have taken the rules of networks away: they are put back");
            self.reload().await;
            // Whoever takes them away again and again is not to keep this daemon busy.
            tokio::time::sleep(RULES_AGAIN).await;
        }
    }

    /// The networks that start with the host, if this is the first daemon since it booted.
    pub fn start_of_host(&self) -> StartOfHost {
        let marker = self.shared.config.run.join("autostarted");
        // Created by exactly one daemon per boot: /run is empty then.
        let made = std::fs::create_dir_all(&self.shared.config.run)
            .and_then(|()| std::fs::OpenOptions::new().write(true).create_new(true).open(&marker));
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return StartOfHost(Vec::new()),
            Err(error) => {
                tracing::error!("cannot write {}: {error}", marker.display());
                return StartOfHost(Vec::new());
            }
        }
        StartOfHost(self.shared.registry.all().into_iter().filter(|it| it.view().autostart).collect())
    }

    /// Starts the networks that start with the host.
    pub async fn start_with_host(&self, StartOfHost(wanted): StartOfHost) {
        for handle in wanted {
            if handle.view().live.is_some() {
                continue;
            }
            if let Err(error) = handle.tell(&self.shared, Command::Start).await {
                tracing::error!(network = %handle.view().name, "cannot start with the host: {error}");
            }
        }
    }
}
