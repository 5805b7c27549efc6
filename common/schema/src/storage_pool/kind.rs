//! The kinds of pools, and what a document of each can have. Seen on the reference, kind by kind.

use virtbus_xml::XmlEnum;

/// `type=` of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, XmlEnum)]
pub enum PoolKind {
    /// A directory.
    Dir,
    /// A file system on a block device.
    Fs,
    /// A file system of a server.
    Netfs,
    /// An LVM volume group.
    Logical,
    /// The partitions of a disk.
    Disk,
    /// An iSCSI target, logged in to by the kernel.
    Iscsi,
    /// An iSCSI target, reached by QEMU itself.
    IscsiDirect,
    /// A SCSI host adapter.
    Scsi,
    /// The multipath devices of the host.
    Mpath,
    /// A Ceph pool.
    Rbd,
    /// A Sheepdog cluster.
    Sheepdog,
    /// A Gluster volume.
    Gluster,
    /// A ZFS pool.
    Zfs,
    /// A Virtuozzo storage cluster.
    Vstorage,
}

impl PoolKind {
    /// Whether a `<source>` of this kind has hosts, and needs at least one.
    #[must_use]
    pub const fn has_hosts(self) -> bool {
        matches!(self, Self::Netfs | Self::Iscsi | Self::IscsiDirect | Self::Rbd | Self::Sheepdog | Self::Gluster)
    }

    /// Whether a `<source>` of this kind has devices.
    #[must_use]
    pub const fn has_devices(self) -> bool {
        matches!(self, Self::Fs | Self::Logical | Self::Disk | Self::Iscsi | Self::IscsiDirect | Self::Zfs)
    }

    /// Whether there is no pool of this kind without a device.
    #[must_use]
    pub const fn needs_device(self) -> bool {
        matches!(self, Self::Fs | Self::Disk)
    }

    /// Whether a `<source>` of this kind has a directory.
    #[must_use]
    pub const fn has_dir(self) -> bool {
        matches!(self, Self::Netfs | Self::Gluster)
    }

    /// Whether a `<source>` of this kind has an adapter, and needs it.
    #[must_use]
    pub const fn has_adapter(self) -> bool {
        matches!(self, Self::Scsi)
    }

    /// Whether a `<source>` of this kind has a name; it is the pool's own where it says none.
    #[must_use]
    pub const fn has_source_name(self) -> bool {
        matches!(self, Self::Logical | Self::Rbd | Self::Sheepdog | Self::Gluster | Self::Zfs | Self::Vstorage)
    }

    /// Whether a `<source>` of this kind has an initiator.
    #[must_use]
    pub const fn has_initiator(self) -> bool {
        matches!(self, Self::Iscsi | Self::IscsiDirect)
    }

    /// Whether volumes of this kind appear in the file system, below the `<target>`.
    #[must_use]
    pub const fn has_target(self) -> bool {
        !matches!(self, Self::IscsiDirect | Self::Rbd | Self::Sheepdog | Self::Gluster)
    }

    /// The format of a `<source>` that says none.
    #[must_use]
    pub const fn default_format(self) -> Option<PoolFormat> {
        match self {
            Self::Fs | Self::Netfs => Some(PoolFormat::Auto),
            Self::Logical => Some(PoolFormat::Lvm2),
            Self::Disk => Some(PoolFormat::Unknown),
            _ => None,
        }
    }

    /// The formats of a `<source>`, as pool capabilities list them. Empty for kinds without.
    #[must_use]
    pub const fn formats(self) -> &'static [PoolFormat] {
        use PoolFormat::*;
        match self {
            Self::Fs => &[Auto, Ext2, Ext3, Ext4, Ufs, Iso9660, Udf, Gfs, Gfs2, Vfat, HfsPlus, Xfs, Ocfs2, Vmfs],
            Self::Netfs => &[Auto, Nfs, Glusterfs, Cifs],
            Self::Logical => &[Unknown, Lvm2],
            Self::Disk => &[Unknown, Dos, Dvh, Gpt, Mac, Bsd, Pc98, Sun, Lvm2],
            _ => &[],
        }
    }
}

/// `<format type='ext4'/>` of a `<source>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum PoolFormat {
    Auto,
    Unknown,
    Ext2,
    Ext3,
    Ext4,
    Ufs,
    Iso9660,
    Udf,
    Gfs,
    Gfs2,
    Vfat,
    #[xml(name = "hfs+")]
    HfsPlus,
    Xfs,
    Ocfs2,
    Vmfs,
    Nfs,
    Glusterfs,
    Cifs,
    Lvm2,
    Dos,
    Dvh,
    Gpt,
    Mac,
    Bsd,
    Pc98,
    Sun,
}
