//! Pools that are a directory.

use async_trait::async_trait;
use virtbus_api::{
    Result,
    flags::{PoolBuildFlags, PoolDeleteFlags},
};
use virtbus_schema::storage_pool::PoolKind;

use super::{Backend, Cx, files, signature};
use crate::blocking;
use crate::fault;

/// A directory: nothing has to be mounted.
#[derive(Debug)]
pub(super) struct Dir;

/// Refuses to format what is no device.
pub(super) fn refuse_formatting(cx: &Cx, flags: PoolBuildFlags) -> Result<()> {
    signature::check_overwrite(flags, "virStorageBackendFileSystemBuild")?;
    if flags.is_empty() {
        return Ok(());
    }
    Err(fault::invalid(format!("No source device specified when formatting pool '{}'", cx.pool.name)))
}

#[async_trait]
impl Backend for Dir {
    fn kind(&self) -> PoolKind {
        PoolKind::Dir
    }

    async fn is_active(&self, cx: &Cx) -> Result<bool> {
        let target = files::target(cx);
        blocking::look(target.display().to_string(), move || Ok(target.is_dir())).await
    }

    async fn build(&self, cx: &Cx, flags: PoolBuildFlags) -> Result<()> {
        refuse_formatting(cx, flags)?;
        files::make_directory(cx).await
    }

    async fn start(&self, _cx: &Cx) -> Result<()> {
        Ok(())
    }

    async fn stop(&self, _cx: &Cx) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, cx: &Cx, flags: PoolDeleteFlags) -> Result<()> {
        files::delete(cx, flags).await
    }
}
