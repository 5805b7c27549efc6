//! Pools that are a directory of a file server: NFS, CIFS, GlusterFS.

use async_trait::async_trait;
use virtbus_api::{
    Result,
    flags::{PoolBuildFlags, PoolDeleteFlags},
};
use virtbus_schema::storage_pool::{PoolFormat, PoolHost, PoolKind, PoolSource, SourceFormat, SourceList};

use super::{Backend, Cx, dir::refuse_formatting, files, fs::mount_options, mounts};
use crate::fault;
use crate::tool::{SOON, Tool};

/// A directory of a file server.
#[derive(Debug)]
pub(super) struct Netfs;

/// What is mounted, as mount(8) of its format takes it.
fn source(cx: &Cx) -> Result<String> {
    let source = &cx.pool.source;
    let [host] = source.hosts.as_slice() else {
        return Err(fault::internal("expected exactly 1 host for the storage pool"));
    };
    if host.name.is_empty() {
        return Err(fault::internal("missing source host"));
    }
    let Some(dir) = source.dir.as_deref() else { return Err(fault::internal("missing source path")) };
    Ok(match cx.pool.source_format() {
        Some(PoolFormat::Cifs) => format!("//{}{}{dir}", host.name, if dir.starts_with('/') { "" } else { "/" }),
        _ => format!("{}:{dir}", host.name),
    })
}

fn options(cx: &Cx) -> Vec<String> {
    let mut options = mount_options(cx);
    if let Some(version) = &cx.pool.source.protocol {
        options.push(format!("nfsvers={version}"));
    }
    match cx.pool.source_format() {
        Some(PoolFormat::Glusterfs) => options.push("direct-io-mode=1".to_owned()),
        Some(PoolFormat::Cifs) => options.push("guest".to_owned()),
        _ => {}
    }
    options
}

#[async_trait]
impl Backend for Netfs {
    fn kind(&self) -> PoolKind {
        PoolKind::Netfs
    }

    async fn is_active(&self, cx: &Cx) -> Result<bool> {
        mounts::at(&files::target(cx).to_string_lossy()).map(|it| it.is_some())
    }

    async fn build(&self, cx: &Cx, flags: PoolBuildFlags) -> Result<()> {
        refuse_formatting(cx, flags)?;
        files::make_directory(cx).await
    }

    async fn start(&self, cx: &Cx) -> Result<()> {
        let target = files::target(cx);
        let (source, target) = (source(cx)?, target.to_string_lossy());
        if mounts::is_mounted_from(&target, &source)? {
            return Ok(());
        }
        let format = cx.pool.source_format().map(PoolFormat::as_str);
        let format = format.filter(|it| *it != PoolFormat::Auto.as_str());
        mounts::mount(&source, &target, format, &options(cx)).await
    }

    async fn stop(&self, cx: &Cx) -> Result<()> {
        mounts::unmount(&files::target(cx).to_string_lossy()).await
    }

    async fn delete(&self, cx: &Cx, flags: PoolDeleteFlags) -> Result<()> {
        files::delete(cx, flags).await
    }

    async fn find_sources(&self, spec: Option<&PoolSource>) -> Result<SourceList> {
        let host = spec.map(|it| it.hosts.as_slice()).unwrap_or_default();
        let [host] = host else {
            return Err(fault::bad_argument("hostname must be specified for netfs sources"));
        };
        let listed = Tool::new("showmount").args(["--no-headers", "--exports", &host.name]).text(SOON).await;
        let exports = listed.map_err(|error| {
            tracing::info!(host = host.name, "{error}");
            nothing_on(host)
        })?;
        let sources: Vec<_> = exports.lines().filter_map(export_path).map(|path| nfs_source(host, path)).collect();
        if sources.is_empty() {
            return Err(nothing_on(host));
        }
        Ok(SourceList { sources })
    }
}

fn nothing_on(host: &PoolHost) -> virtbus_api::Error {
    fault::failed(format!("no storage pools were found on host '{}'", host.name))
}

/// The path of a line `/export 10.0.0.0/8`.
fn export_path(line: &str) -> Option<&str> {
    let path = line.split_whitespace().next()?;
    path.starts_with('/').then_some(path)
}

fn nfs_source(host: &PoolHost, path: &str) -> PoolSource {
    PoolSource {
        hosts: vec![host.clone()],
        dir: Some(path.to_owned()),
        format: Some(SourceFormat { kind: PoolFormat::Nfs }),
        ..PoolSource::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_read() {
        let text = "/export/iso  (everyone)\n/srv *\n\nrubbish\n";
        assert_eq!(text.lines().filter_map(export_path).collect::<Vec<_>>(), ["/export/iso", "/srv"]);
    }
}
