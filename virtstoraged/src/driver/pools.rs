//! Finding, defining, building, starting and stopping pools.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, PoolEvent, PoolRef, Result,
    flags::{PoolBuildFlags, PoolCreateFlags, PoolDefineFlags, PoolDeleteFlags, PoolFilter, PoolXmlFlags},
    storage::{PoolInfo, Pools},
};
use virtbus_schema::storage_pool::{PoolKind, PoolSource, SourceList, tidy_path};
use virtbus_schema::{StoragePool, StoragePoolCapabilities};

use super::Storage;
use crate::backend;
use crate::fault::Faults as _;
use crate::pool::{Handle, command::Command, view::View};
use crate::registry::no_pool;

impl Storage {
    /// Has the owner of the pool that `document` names do `command`; makes one up if there is none.
    async fn claim(
        &self,
        document: Box<StoragePool>,
        command: impl FnOnce(Box<StoragePool>) -> Command,
    ) -> Result<PoolRef> {
        let document = complete(document)?;
        let uuid = document.uuid.unwrap_or_default();
        let make = || Handle::new(View::off(&document.name, uuid, None, false));
        let handle = self.shared.registry.claim(&document, uuid, make)?;
        handle.tell(&self.shared, command(document)).await?;
        Ok(handle.view().pool_ref())
    }

    async fn tell(&self, pool: &PoolRef, command: Command) -> Result<()> {
        self.find(pool)?.tell(&self.shared, command).await
    }
}

/// A document as it is taken: with a UUID, without figures, of a kind that is served.
fn complete(mut document: Box<StoragePool>) -> Result<Box<StoragePool>> {
    if document.name.contains('\n') {
        let detail = format!("invalid char in name: {}", '\n');
        return Err(Error::new(ErrorCode::XmlDetail, detail).of_storage());
    }
    document.uuid.get_or_insert_with(Uuid::new_v4);
    document.forget_state();
    backend::of(document.kind)?;
    Ok(document)
}

const KINDS: [(PoolFilter, PoolKind); 14] = [
    (PoolFilter::DIR, PoolKind::Dir),
    (PoolFilter::FS, PoolKind::Fs),
    (PoolFilter::NETFS, PoolKind::Netfs),
    (PoolFilter::LOGICAL, PoolKind::Logical),
    (PoolFilter::DISK, PoolKind::Disk),
    (PoolFilter::ISCSI, PoolKind::Iscsi),
    (PoolFilter::SCSI, PoolKind::Scsi),
    (PoolFilter::MPATH, PoolKind::Mpath),
    (PoolFilter::RBD, PoolKind::Rbd),
    (PoolFilter::SHEEPDOG, PoolKind::Sheepdog),
    (PoolFilter::GLUSTER, PoolKind::Gluster),
    (PoolFilter::ZFS, PoolKind::Zfs),
    (PoolFilter::VSTORAGE, PoolKind::Vstorage),
    (PoolFilter::ISCSI_DIRECT, PoolKind::IscsiDirect),
];

fn passes(view: &View, filter: PoolFilter) -> bool {
    let active = view.live.is_some();
    let persistent = view.definition.is_some();
    let kind = view.document().map(|it| it.kind);
    let kinds = KINDS.map(|(bit, it)| (bit, kind == Some(it)));
    let groups: [&[(PoolFilter, bool)]; 4] = [
        &[(PoolFilter::ACTIVE, active), (PoolFilter::INACTIVE, !active)],
        &[(PoolFilter::PERSISTENT, persistent), (PoolFilter::TRANSIENT, !persistent)],
        &[(PoolFilter::AUTOSTART, view.autostart), (PoolFilter::NO_AUTOSTART, !view.autostart)],
        &kinds,
    ];
    groups.iter().all(|group| {
        let mut asked = group.iter().filter(|(bit, _)| filter.contains(*bit)).peekable();
        asked.peek().is_none() || asked.any(|(_, holds)| *holds)
    })
}

fn with_figures(view: &View) -> Option<Arc<StoragePool>> {
    let Some(live) = &view.live else { return view.definition.clone() };
    Some(Arc::new(live.shown()))
}

#[async_trait]
impl Pools for Storage {
    fn uri(&self) -> String {
        self.shared.config.uri.clone()
    }

    fn list(&self, filter: PoolFilter) -> Vec<PoolRef> {
        let all = self.shared.registry.all();
        all.iter().map(Handle::view).filter(|it| passes(it, filter)).map(|it| it.pool_ref()).collect()
    }

    fn lookup_by_uuid(&self, uuid: Uuid) -> Result<PoolRef> {
        Ok(self.view(&PoolRef::of_uuid(uuid))?.pool_ref())
    }

    fn lookup_by_name(&self, name: &str) -> Result<PoolRef> {
        Ok(self.shared.registry.by_name(name)?.view().pool_ref())
    }

    fn lookup_by_target_path(&self, path: &str) -> Result<PoolRef> {
        let wanted = tidy_path(path);
        let all = self.shared.registry.all();
        let found = all.iter().map(Handle::view).find(|view| {
            let target = view.live.as_ref().and_then(|it| it.document.target_path());
            target.is_some_and(|it| Path::new(it) == Path::new(&wanted))
        });
        let found = found.ok_or_else(|| no_pool(format!("no storage pool with matching target path '{path}'")))?;
        Ok(found.pool_ref())
    }

    fn xml(&self, pool: &PoolRef, flags: PoolXmlFlags) -> Result<Arc<StoragePool>> {
        let view = self.view(pool)?;
        let inactive = flags.contains(PoolXmlFlags::INACTIVE);
        let document = match (&view.definition, &view.live) {
            // What it was started from is what it is, until it is defined anew.
            (Some(definition), Some(live)) if inactive && !Arc::ptr_eq(definition, &live.origin) => {
                Some(Arc::clone(definition))
            }
            _ => with_figures(&view),
        };
        document.ok_or_else(|| crate::registry::no_pool_of(pool.uuid, &pool.name))
    }

    fn info(&self, pool: &PoolRef) -> Result<PoolInfo> {
        Ok(self.view(pool)?.info())
    }

    fn is_active(&self, pool: &PoolRef) -> Result<bool> {
        Ok(self.view(pool)?.live.is_some())
    }

    fn is_persistent(&self, pool: &PoolRef) -> Result<bool> {
        Ok(self.view(pool)?.definition.is_some())
    }

    fn autostart(&self, pool: &PoolRef) -> Result<bool> {
        Ok(self.view(pool)?.autostart)
    }

    fn capabilities(&self) -> StoragePoolCapabilities {
        StoragePoolCapabilities::of(|kind| backend::of(kind).is_ok())
    }

    async fn find_sources(&self, kind: PoolKind, spec: Option<PoolSource>) -> Result<SourceList> {
        backend::of(kind)?.find_sources(spec.as_ref()).await
    }

    async fn define(&self, pool: Box<StoragePool>, _flags: PoolDefineFlags) -> Result<PoolRef> {
        self.claim(pool, Command::Define).await
    }

    async fn create(&self, pool: Box<StoragePool>, flags: PoolCreateFlags) -> Result<PoolRef> {
        self.claim(pool, |document| Command::Create(document, flags)).await
    }

    async fn start(&self, pool: &PoolRef, flags: PoolCreateFlags) -> Result<()> {
        self.tell(pool, Command::Start(flags)).await
    }

    async fn build(&self, pool: &PoolRef, flags: PoolBuildFlags) -> Result<()> {
        self.tell(pool, Command::Build(flags)).await
    }

    async fn destroy(&self, pool: &PoolRef) -> Result<()> {
        self.tell(pool, Command::Destroy).await
    }

    async fn delete(&self, pool: &PoolRef, flags: PoolDeleteFlags) -> Result<()> {
        self.tell(pool, Command::Delete(flags)).await
    }

    async fn undefine(&self, pool: &PoolRef) -> Result<()> {
        self.tell(pool, Command::Undefine).await
    }

    async fn refresh(&self, pool: &PoolRef) -> Result<()> {
        self.tell(pool, Command::Refresh).await
    }

    async fn set_autostart(&self, pool: &PoolRef, autostart: bool) -> Result<()> {
        self.tell(pool, Command::SetAutostart(autostart)).await
    }

    fn pool_events(&self) -> broadcast::Receiver<PoolEvent> {
        self.shared.events.subscribe()
    }
}
