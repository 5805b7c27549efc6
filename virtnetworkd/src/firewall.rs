//! What may pass between a network and what lies outside.
//!
//! | mode | from guests | to guests |
//! |---|---|---|
//! | nat | anything, with the host's address | answers |
//! | route | anything with an address of the network | anything to an address of the network |
//! | none (isolated) | nothing | nothing |
//! | open | not our concern | not our concern |
//!
//! Guests of one network reach each other always; that is the bridge's, no router's, matter.
//!
//! # Beside others
//!
//! Ours is one nftables table, `inet virtbus_network`; nobody else's is edited, but for Docker's, below. In nftables a packet
//! must pass *every* table: an accept here undoes no drop elsewhere, and a drop elsewhere needs a rule elsewhere.
//!
//! * **Docker** drops in `ip filter FORWARD` what it does not know. It keeps a chain for others' rules, `DOCKER-USER`: where
//!   that exists, our bridges are let through there, and our own table decides.
//! * **firewalld** rejects what belongs to no zone. A bridge is put into its zone `libvirt` (of routed and open networks
//!   `libvirt-routed`, or what `<bridge zone=>` says) while firewalld runs ([`firewalld`]).
//! * **Others** (ufw, a table of the administrator's) that drop input or forwarding by policy: the log names the chain when a
//!   network starts. DHCP (67, 547/udp), DNS (53) and TFTP (69/udp) must be let in from the bridge there.
//!
//! What flushes all tables (`nft flush ruleset`, a restart of nftables.service) takes ours away, and a restart of firewalld
//! forgets the zones: [`Firewall::lost`] hears of either, [`Firewall::reload`] puts all back whole, and is safe at any time.

pub mod firewalld;
pub mod nft;
mod rules;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::Result;
use virtbus_schema::Network;

/// A network that is started, and its bridge.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its document.
    pub network: Arc<Network>,
    /// The bridge's name.
    pub bridge: String,
}

/// What keeps networks apart. All calls may be repeated.
#[async_trait]
pub trait Firewall: fmt::Debug + Send + Sync {
    /// Puts the rules of a network in place, all or none; those of an earlier call go. The bridge must exist.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` with the tool's own words.
    async fn add(&self, started: &Started) -> Result<()>;

    /// Takes the rules of a network away. None there is as good.
    ///
    /// # Errors
    /// As [`Firewall::add`].
    async fn remove(&self, started: &Started) -> Result<()>;

    /// Puts the rules of these networks in place, and of those added meanwhile, after others have flushed them or the daemon
    /// has started; all other rules of ours go. Traffic that is let through now is let through at every moment.
    ///
    /// # Errors
    /// As [`Firewall::add`].
    async fn reload(&self, started: &[Started]) -> Result<()>;

    /// Waits until others have taken rules away. Cancel-safe; never ends where that cannot be known.
    async fn lost(&self) {
        std::future::pending::<()>().await;
    }
}

/// No rules at all: for a daemon that may make none, and for tests of everything else.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFirewall;

#[async_trait]
impl Firewall for NoFirewall {
    async fn add(&self, _: &Started) -> Result<()> {
        Ok(())
    }

    async fn remove(&self, _: &Started) -> Result<()> {
        Ok(())
    }

    async fn reload(&self, _: &[Started]) -> Result<()> {
        Ok(())
    }
}

/// The firewall of this host: nftables, and firewalld's zones while it runs. A user's own daemon (`session`) may touch neither.
pub fn choose(session: bool) -> Arc<dyn Firewall> {
    if session {
        return Arc::new(NoFirewall);
    }
    Arc::new(firewalld::WithZones::new(nft::Nft::default()))
}
