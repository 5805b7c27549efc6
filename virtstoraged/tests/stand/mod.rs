//! An engine on directories of its own, with secrets in memory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, PoolRef, Result, SecretEvent, SecretRef, VolumeRef,
    flags::{PoolCreateFlags, PoolDefineFlags, SecretDefineFlags, SecretFilter, VolumeCreateFlags},
    storage::{Pools, SecretValue, Secrets, Volumes},
};
use virtbus_schema::{Secret, StoragePool, StorageVolume};
use virtstoraged::config::{Config, Layout};
use virtstoraged::driver::Storage;

/// Secrets that are only kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Vec<(SecretRef, Option<SecretValue>)>>);

impl Memory {
    fn find<T>(
        &self,
        wanted: impl Fn(&SecretRef) -> bool,
        take: impl Fn(&(SecretRef, Option<SecretValue>)) -> T,
    ) -> Option<T> {
        self.0.lock().expect("no panic").iter().find(|it| wanted(&it.0)).map(take)
    }
}

fn no_secret(uuid: Uuid) -> Error {
    Error::new(ErrorCode::NoSecret, format!("no secret with matching uuid '{uuid}'"))
}

#[async_trait]
impl Secrets for Memory {
    fn secrets(&self, _filter: SecretFilter) -> Vec<SecretRef> {
        self.0.lock().expect("no panic").iter().map(|it| it.0.clone()).collect()
    }

    fn lookup_secret(&self, uuid: Uuid) -> Result<SecretRef> {
        self.find(|it| it.uuid == uuid, |it| it.0.clone()).ok_or_else(|| no_secret(uuid))
    }

    fn lookup_secret_by_usage(&self, usage_type: i32, usage_id: &str) -> Result<SecretRef> {
        let found = self.find(|it| it.usage_type == usage_type && it.usage_id == usage_id, |it| it.0.clone());
        found.ok_or_else(|| Error::new(ErrorCode::NoSecret, format!("no secret with matching usage '{usage_id}'")))
    }

    fn secret_xml(&self, secret: &SecretRef) -> Result<Arc<Secret>> {
        Err(no_secret(secret.uuid))
    }

    fn secret_value(&self, secret: &SecretRef) -> Result<SecretValue> {
        self.secret_value_for_use(secret)
    }

    fn secret_value_for_use(&self, secret: &SecretRef) -> Result<SecretValue> {
        let found = self.find(|it| it.uuid == secret.uuid, |it| it.1.clone()).flatten();
        found.ok_or_else(|| no_secret(secret.uuid))
    }

    async fn define_secret(&self, secret: Box<Secret>, _flags: SecretDefineFlags) -> Result<SecretRef> {
        let it = SecretRef::of_uuid(secret.uuid.unwrap_or_else(Uuid::new_v4));
        self.0.lock().expect("no panic").push((it.clone(), None));
        Ok(it)
    }

    async fn set_secret_value(&self, secret: &SecretRef, value: SecretValue) -> Result<()> {
        let mut all = self.0.lock().expect("no panic");
        let found = all.iter_mut().find(|it| it.0.uuid == secret.uuid).ok_or_else(|| no_secret(secret.uuid))?;
        found.1 = Some(value);
        Ok(())
    }

    async fn undefine_secret(&self, secret: &SecretRef) -> Result<()> {
        self.0.lock().expect("no panic").retain(|it| it.0.uuid != secret.uuid);
        Ok(())
    }

    fn secret_events(&self) -> broadcast::Receiver<SecretEvent> {
        broadcast::Sender::new(1).subscribe()
    }
}

/// Directories of an engine, which live as long as this.
#[derive(Debug)]
pub(crate) struct Stand {
    root: tempfile::TempDir,
    pub(crate) secrets: Arc<Memory>,
    pub(crate) engine: Storage,
}

impl Stand {
    /// An engine that knows nothing yet.
    pub(crate) async fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let secrets = Arc::new(Memory::default());
        let engine = engine(root.path(), &secrets).await;
        Self { root, secrets, engine }
    }

    /// Another engine on the same directories, as after the end of the first.
    pub(crate) async fn again(&mut self) {
        self.engine = engine(self.root.path(), &self.secrets).await;
    }

    /// A path below the stand's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Defines and starts a pool in a directory that is made.
    pub(crate) async fn dir_pool(&self, name: &str) -> PoolRef {
        let directory = self.path(name);
        std::fs::create_dir_all(&directory).expect("made");
        let xml =
            format!("<pool type='dir'><name>{name}</name><target><path>{}</path></target></pool>", directory.display());
        let pool = self.define(&xml).await.expect("defined");
        self.engine.start(&pool, PoolCreateFlags::empty()).await.expect("started");
        pool
    }

    pub(crate) async fn define(&self, xml: &str) -> Result<PoolRef> {
        let document = StoragePool::parse(xml).expect("a pool");
        self.engine.define(Box::new(document), PoolDefineFlags::empty()).await
    }

    /// Makes a volume; `xml` is what stands in the document beside its name.
    pub(crate) async fn volume(&self, pool: &PoolRef, name: &str, xml: &str) -> Result<VolumeRef> {
        self.engine.create_volume(pool, document(name, xml), VolumeCreateFlags::empty()).await
    }
}

pub(crate) fn document(name: &str, xml: &str) -> Box<StorageVolume> {
    let name = name.replace('&', "&amp;").replace('<', "&lt;");
    Box::new(StorageVolume::parse(&format!("<volume><name>{name}</name>{xml}</volume>")).expect("a volume"))
}

async fn engine(root: &Path, secrets: &Arc<Memory>) -> Storage {
    let layout = Layout { definitions: root.join("etc/storage"), run: root.join("run/storage") };
    let config = Config { layout, uri: "storage:///test".to_owned() };
    let engine = Storage::new(config, Arc::clone(secrets) as Arc<dyn Secrets>);
    engine.load().await.expect("loads");
    engine
}
