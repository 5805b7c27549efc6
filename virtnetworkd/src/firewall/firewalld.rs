//! firewalld's zones: while it runs, a bridge belongs to one, or what its guests send is rejected.
//!
//! firewalld is asked over the system bus, and nothing is done when it is not there. Its zones `libvirt` and
//! `libvirt-routed` come with the packages of libvirt; where they are missing, that is an error, as in the reference: the
//! network would start and not work.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_schema::network::ForwardMode;
use zbus::message::Type;
use zbus::{Connection, MatchRule, MessageStream};

use super::{Firewall, Started};

const NAME: &str = "org.fedoraproject.FirewallD1";
const PATH: &str = "/org/fedoraproject/FirewallD1";
const ZONES: &str = "org.fedoraproject.FirewallD1.zone";
/// How long firewalld may take: it loads rules by running other programs.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long until a bus that is not there is looked for again.
const AGAIN: Duration = Duration::from_secs(30);

/// A packet filter, and firewalld's zones beside it.
#[derive(Debug, Clone)]
pub struct WithZones<F> {
    filter: F,
    /// Another bus than the system's.
    bus: Option<String>,
}

impl<F: Firewall> WithZones<F> {
    /// `filter`, with zones.
    pub fn new(filter: F) -> Self {
        Self { filter, bus: None }
    }

    async fn connect(&self) -> Option<Connection> {
        let connect = async {
            match &self.bus {
                Some(address) => zbus::connection::Builder::address(address.as_str()).build().await,
                None => Connection::system().await,
            }
        };
        tokio::time::timeout(DEADLINE, connect).await.ok()?.ok()
    }

    /// The bus, if firewalld is on it.
    async fn running(&self) -> Option<Connection> {
        let bus = self.connect().await?;
        let names = zbus::fdo::DBusProxy::new(&bus).await.ok()?;
        let name = NAME.try_into().ok()?;
        // Not by calling it: that would start it.
        names.name_has_owner(name).await.ok()?.then_some(bus)
    }

    /// Waits until firewalld has come or has loaded its rules anew: it then knows our bridges no longer.
    async fn reloaded(&self) {
        loop {
            if let Some(bus) = self.connect().await {
                match hear(&bus).await {
                    Ok(true) => return,
                    // The bus has gone.
                    Ok(false) => {}
                    Err(error) => tracing::debug!("firewalld is not heard of: {error}"),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether firewalld came or reloaded before the bus went.
async fn hear(bus: &Connection) -> zbus::Result<bool> {
    let rule = || MatchRule::builder().msg_type(Type::Signal);
    let comes = rule().sender("org.freedesktop.DBus").member("NameOwnerChanged").arg(0, NAME).build()?;
    let reloads = rule().interface(NAME).member("Reloaded").build()?;
    let comes = MessageStream::for_match_rule(comes, bus, None).await?;
    let reloads = MessageStream::for_match_rule(reloads, bus, None).await?;
    let mut heard = futures_util::stream::select(comes, reloads);
    while let Some(message) = heard.next().await {
        let message = message?;
        let is_gone = |owner: (String, String, String)| owner.2.is_empty();
        if !message.body().deserialize().is_ok_and(is_gone) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl<F: Firewall> Firewall for WithZones<F> {
    async fn add(&self, started: &Started) -> Result<()> {
        self.filter.add(started).await?;
        let Some(bus) = self.running().await else { return zone_needs_it(started) };
        enter(&bus, started).await
    }

    async fn remove(&self, started: &Started) -> Result<()> {
        if let Some(bus) = self.running().await {
            // Best effort: a device that is gone is nobody's concern.
            let arguments = ("", started.bridge.as_str());
            if let Err(error) = call(&bus, "removeInterface", &arguments).await {
                tracing::debug!("firewalld keeps '{}': {error}", started.bridge);
            }
        }
        self.filter.remove(started).await
    }

    async fn reload(&self, started: &[Started]) -> Result<()> {
        self.filter.reload(started).await?;
        let Some(bus) = self.running().await else { return Ok(()) };
        let mut result = Ok(());
        for started in started {
            result = result.and(enter(&bus, started).await);
        }
        result
    }

    async fn lost(&self) {
        tokio::select! {
            () = self.filter.lost() => {}
            () = self.reloaded() => {}
        }
    }
}

/// The zone of a network's bridge.
fn zone(started: &Started) -> &str {
    let said = started.network.bridge.as_ref().and_then(|bridge| bridge.zone.as_deref());
    said.unwrap_or(match started.network.mode() {
        ForwardMode::Route | ForwardMode::Open => "libvirt-routed",
        _ => "libvirt",
    })
}

fn zone_needs_it(started: &Started) -> Result<()> {
    match started.network.bridge.as_ref().and_then(|bridge| bridge.zone.as_ref()) {
        Some(zone) => {
            let text =
                format!("zone {zone} requested for network {} but firewalld is not active", started.network.name);
            Err(Error::internal(text).in_domain(ErrorDomain::Network))
        }
        None => Ok(()),
    }
}

async fn enter(bus: &Connection, started: &Started) -> Result<()> {
    // An open network's packets are not ours to judge, but for a zone that is asked for.
    let zone = zone(started);
    call(bus, "changeZoneOfInterface", &(zone, started.bridge.as_str())).await.map_err(|error| {
        let text = format!("cannot put bridge '{}' into firewalld's zone '{zone}': {error}", started.bridge);
        Error::failed(text).in_domain(ErrorDomain::Network)
    })
}

async fn call(bus: &Connection, method: &str, arguments: &(&str, &str)) -> std::result::Result<(), String> {
    let reply = bus.call_method(Some(NAME), PATH, Some(ZONES), method, arguments);
    match tokio::time::timeout(DEADLINE, reply).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

#[cfg(test)]
mod tests;
