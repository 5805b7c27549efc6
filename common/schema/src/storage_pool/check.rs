//! What the parts of a pool say about each other: completed where one implies another, refused where one is missing.
//! Each rule was observed on the reference; none needs the host.

use virtbus_xml::{Error, ErrorKind, Node};

use super::{PoolFormat, PoolKind, PoolSource, SourceFormat, StoragePool, tidy_path};

type Checked = Result<(), Error>;

impl StoragePool {
    /// What is said first when nothing else is right either.
    pub(super) fn check_parts(node: Node<'_>) -> Checked {
        let Some(kind) = node.attr("type").and_then(|it| PoolKind::from_name(it.value())) else {
            // Reading the attribute says what is wrong with it.
            return Ok(());
        };
        let source_name = node.child("source").and_then(|it| it.child("name")).map(|it| it.text());
        let source_name = source_name.filter(|it| !it.is_empty());
        if kind == PoolKind::Rbd && source_name.is_none() && node.child("source").is_some() {
            return Err(node.missing("source/name"));
        }
        let name = node.child("name").map(|it| it.text()).filter(|it| !it.is_empty());
        if name.is_none() && (source_name.is_none() || !kind.has_source_name()) {
            return Err(node.missing("name"));
        }
        Ok(())
    }

    pub(super) fn complete(&mut self, node: Node<'_>) -> Checked {
        if self.name.is_empty() {
            self.name = self.source.name.clone().unwrap_or_default();
        }
        if self.name.contains('/') {
            return Err(node.error(ErrorKind::BadValue, format!("name {} contains '/'", self.name)));
        }
        if self.name.contains('\n') {
            // Reported like malformed XML, as the reference does when it takes the definition.
            return Err(node.error(ErrorKind::Conflict, "the name contains a line break"));
        }
        let may_copy = matches!(self.kind, PoolKind::Dir | PoolKind::Fs);
        if self.features.is_some_and(|it| it.cow.is_some()) && !may_copy {
            let message = "copy on write is for pools of type dir and fs";
            return Err(node.error(ErrorKind::NoSupport, message));
        }
        self.source.complete(self.kind, node)?;
        self.source.check(self.kind, node)?;
        if self.kind.has_source_name() && self.source.name.is_none() {
            self.source.name = Some(self.name.clone());
        }
        self.complete_target(node)?;
        self.keep_namespaces();
        Ok(())
    }

    fn complete_target(&mut self, node: Node<'_>) -> Checked {
        if !self.kind.has_target() {
            self.target = None;
            return Ok(());
        }
        let target = self.target.get_or_insert_default();
        let named = self.source.name.as_deref().unwrap_or(&self.name);
        target.path = match self.kind {
            // Where LVM and ZFS put them, whatever the document says.
            PoolKind::Logical => format!("/dev/{named}"),
            PoolKind::Zfs => format!("/dev/zvol/{named}"),
            _ => tidy_path(&target.path),
        };
        if target.path.is_empty() {
            return Err(node.missing("target/path"));
        }
        Ok(())
    }

    /// Only some kinds have something to hand through.
    fn keep_namespaces(&mut self) {
        let options = self
            .fs
            .mount_opts
            .take_if(|it| !matches!(self.kind, PoolKind::Fs | PoolKind::Netfs) || it.options.is_empty());
        drop(options);
        let options = self.rbd.config_opts.take_if(|it| self.kind != PoolKind::Rbd || it.options.is_empty());
        drop(options);
    }
}

impl PoolSource {
    /// Drops what does not belong to a kind of pool, and fills in what the kind implies.
    pub(super) fn complete(&mut self, kind: PoolKind, node: Node<'_>) -> Checked {
        if !kind.has_hosts() {
            self.hosts.clear();
        }
        if !kind.has_devices() {
            self.devices.clear();
        }
        if !kind.has_adapter() {
            self.adapter = None;
        }
        if !kind.has_source_name() {
            self.name = None;
        }
        if !kind.has_initiator() {
            self.initiator = None;
        }
        self.dir = self.dir.take().filter(|it| kind.has_dir() && !it.is_empty()).map(|it| tidy_path(&it));
        if kind == PoolKind::Gluster {
            self.dir.get_or_insert_with(|| "/".to_owned());
        }
        for text in [&mut self.protocol, &mut self.vendor, &mut self.product] {
            text.take_if(|it| it.is_empty());
        }
        if self.protocol.as_ref().is_some_and(|it| it.contains(',')) {
            // It becomes one of several options of a mount.
            return Err(node.error(ErrorKind::Conflict, "the version of a protocol contains ','"));
        }
        let formats = kind.formats();
        match (self.format, kind.default_format()) {
            (_, None) => self.format = None,
            (None, Some(kind)) => self.format = Some(SourceFormat { kind }),
            (Some(it), Some(_)) if !formats.contains(&it.kind) => {
                let message = format!("a {kind} pool has no format {}", it.kind);
                let names: Vec<_> = formats.iter().map(|it| it.as_str()).collect();
                let hint = format!("expected one of {}", names.join(", "));
                return Err(node.error(ErrorKind::Unsupported, message).with_hint(hint));
            }
            _ => {}
        }
        if self.protocol.is_some() && self.format.is_some_and(|it| it.kind == PoolFormat::Cifs) {
            return Err(node.error(ErrorKind::Unsupported, "a cifs pool has no version of its protocol"));
        }
        Ok(())
    }

    /// Whether all is there that a pool of this kind needs.
    fn check(&self, kind: PoolKind, node: Node<'_>) -> Checked {
        let missing = |absent: bool, what: &str| if absent { Err(node.missing(what)) } else { Ok(()) };
        missing(kind.has_hosts() && self.hosts.is_empty(), "source/host")?;
        missing(kind == PoolKind::Netfs && self.dir.is_none(), "source/dir/@path")?;
        missing(kind.has_adapter() && self.adapter.is_none(), "source/adapter")?;
        missing(kind.needs_device() && self.devices.is_empty(), "source/device")?;
        if kind == PoolKind::IscsiDirect && self.initiator.as_ref().is_none_or(|it| it.iqn.is_none()) {
            return Err(node.error(ErrorKind::Unsupported, "the name of the iSCSI initiator is missing"));
        }
        Ok(())
    }
}
