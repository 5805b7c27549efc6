//! How callers name objects, and how an object's life can hang on a client.

use tokio::sync::watch;
use uuid::Uuid;

/// A domain as callers name it. Lookups fill all of it; calls go by the UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRef {
    /// The domain's name; for error texts. Empty where the caller only knows the UUID (D-Bus paths).
    pub name: String,
    /// What identifies the domain.
    pub uuid: Uuid,
    /// The runtime id while the domain is active.
    pub id: Option<u32>,
}

impl DomainRef {
    /// A ref for a caller who knows the UUID alone.
    pub fn of_uuid(uuid: Uuid) -> Self {
        Self { name: String::new(), uuid, id: None }
    }
}

/// A storage pool as callers name it; the UUID decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRef {
    /// The pool's name. Empty where the caller only knows the UUID (D-Bus paths).
    pub name: String,
    /// What identifies the pool.
    pub uuid: Uuid,
}

/// A volume as callers name it: within its pool by name, anywhere by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRef {
    /// The name of its pool.
    pub pool: String,
    /// Its name there; unique in the pool.
    pub name: String,
    /// Unique on the host; for most backends the path.
    pub key: String,
}

/// A secret as callers name it; the UUID decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// What identifies the secret.
    pub uuid: Uuid,
    /// `virSecretUsageType`: 0 none, 1 volume, 2 ceph, 3 iscsi, 4 tls, 5 vtpm.
    pub usage_type: i32,
    /// What it is for, within its usage type; empty where the type is none or the caller does not know.
    pub usage_id: String,
}

/// A network as callers name it; the UUID decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRef {
    /// The network's name. Empty where the caller only knows the UUID (D-Bus paths).
    pub name: String,
    /// What identifies the network.
    pub uuid: Uuid,
}

/// A port of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRef {
    /// The network it is plugged into.
    pub network: NetworkRef,
    /// What identifies the port there.
    pub uuid: Uuid,
}

impl PoolRef {
    /// A ref for a caller who knows the UUID alone.
    pub fn of_uuid(uuid: Uuid) -> Self {
        Self { name: String::new(), uuid }
    }
}

impl NetworkRef {
    /// A ref for a caller who knows the UUID alone.
    pub fn of_uuid(uuid: Uuid) -> Self {
        Self { name: String::new(), uuid }
    }
}

impl SecretRef {
    /// A ref for a caller who knows the UUID alone.
    pub fn of_uuid(uuid: Uuid) -> Self {
        Self { uuid, usage_type: 0, usage_id: String::new() }
    }
}

/// A client's presence: `START_AUTODESTROY` domains end when it does.
///
/// The front holds the [`LeaseGuard`] for as long as the client is connected.
#[derive(Debug, Clone)]
pub struct ClientLease {
    id: u64,
    ended: watch::Receiver<bool>,
}

/// Ends the leases made with it when dropped.
#[derive(Debug)]
pub struct LeaseGuard {
    id: u64,
    ended: watch::Sender<bool>,
}

impl LeaseGuard {
    /// A new client with an id that is unique in this daemon.
    pub fn new(id: u64) -> Self {
        Self { id, ended: watch::Sender::new(false) }
    }

    /// A lease on this client's presence.
    pub fn lease(&self) -> ClientLease {
        ClientLease { id: self.id, ended: self.ended.subscribe() }
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.ended.send_replace(true);
    }
}

impl ClientLease {
    /// Which client it is.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Resolves when the client has gone.
    pub async fn ended(mut self) {
        // An error means that the guard is gone, which is the same news.
        let _ = self.ended.wait_for(|it| *it).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_ends_with_its_client() {
        let guard = LeaseGuard::new(7);
        let lease = guard.lease();
        assert_eq!(lease.id(), 7);
        drop(guard);
        lease.ended().await;
    }
}
