//! Flag words about pools, volumes and secrets.

use bitflags::bitflags;

bitflags! {
    /// Which pools a list holds; bits of one group are alternatives, groups add up.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PoolFilter: u32 {
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE`.
        const INACTIVE = 1 << 0;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE`.
        const ACTIVE = 1 << 1;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT`.
        const PERSISTENT = 1 << 2;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT`.
        const TRANSIENT = 1 << 3;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART`.
        const AUTOSTART = 1 << 4;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART`.
        const NO_AUTOSTART = 1 << 5;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_DIR`; the types form one group.
        const DIR = 1 << 6;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_FS`.
        const FS = 1 << 7;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_NETFS`.
        const NETFS = 1 << 8;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL`.
        const LOGICAL = 1 << 9;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_DISK`.
        const DISK = 1 << 10;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI`.
        const ISCSI = 1 << 11;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_SCSI`.
        const SCSI = 1 << 12;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_MPATH`.
        const MPATH = 1 << 13;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_RBD`.
        const RBD = 1 << 14;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_SHEEPDOG`.
        const SHEEPDOG = 1 << 15;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER`.
        const GLUSTER = 1 << 16;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_ZFS`.
        const ZFS = 1 << 17;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE`.
        const VSTORAGE = 1 << 18;
        /// `VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT`.
        const ISCSI_DIRECT = 1 << 19;
    }

    /// How a pool's definition is taken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PoolDefineFlags: u32 {
        /// `VIR_STORAGE_POOL_DEFINE_VALIDATE`.
        const VALIDATE = 1 << 0;
    }

    /// How a pool is started.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PoolCreateFlags: u32 {
        /// `VIR_STORAGE_POOL_CREATE_WITH_BUILD`.
        const WITH_BUILD = 1 << 0;
        /// `VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE`.
        const WITH_BUILD_OVERWRITE = 1 << 1;
        /// `VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE`.
        const WITH_BUILD_NO_OVERWRITE = 1 << 2;
    }

    /// How a pool's underlying storage is made; empty: new.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PoolBuildFlags: u32 {
        /// `VIR_STORAGE_POOL_BUILD_REPAIR`.
        const REPAIR = 1 << 0;
        /// `VIR_STORAGE_POOL_BUILD_RESIZE`.
        const RESIZE = 1 << 1;
        /// `VIR_STORAGE_POOL_BUILD_NO_OVERWRITE`.
        const NO_OVERWRITE = 1 << 2;
        /// `VIR_STORAGE_POOL_BUILD_OVERWRITE`.
        const OVERWRITE = 1 << 3;
    }

    /// How a pool's underlying storage is deleted; empty: plainly.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PoolDeleteFlags: u32 {
        /// `VIR_STORAGE_POOL_DELETE_ZEROED`.
        const ZEROED = 1 << 0;
    }

    /// Which document of a pool is meant.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PoolXmlFlags: u32 {
        /// `VIR_STORAGE_XML_INACTIVE`.
        const INACTIVE = 1 << 0;
    }

    /// How a volume is made.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct VolumeCreateFlags: u32 {
        /// `VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA`.
        const PREALLOC_METADATA = 1 << 0;
        /// `VIR_STORAGE_VOL_CREATE_REFLINK`.
        const REFLINK = 1 << 1;
        /// `VIR_STORAGE_VOL_CREATE_VALIDATE`.
        const VALIDATE = 1 << 2;
    }

    /// How a volume is deleted.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct VolumeDeleteFlags: u32 {
        /// `VIR_STORAGE_VOL_DELETE_ZEROED`.
        const ZEROED = 1 << 0;
        /// `VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS`.
        const WITH_SNAPSHOTS = 1 << 1;
    }

    /// How a volume's size changes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct VolumeResizeFlags: u32 {
        /// `VIR_STORAGE_VOL_RESIZE_ALLOCATE`.
        const ALLOCATE = 1 << 0;
        /// `VIR_STORAGE_VOL_RESIZE_DELTA`.
        const DELTA = 1 << 1;
        /// `VIR_STORAGE_VOL_RESIZE_SHRINK`.
        const SHRINK = 1 << 2;
    }

    /// Which figures of a volume are meant.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct VolumeInfoFlags: u32 {
        /// `VIR_STORAGE_VOL_GET_PHYSICAL`: the physical size in place of the allocation.
        const PHYSICAL = 1 << 0;
    }

    /// How a volume's bytes travel (upload and download share the bit).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct TransferFlags: u32 {
        /// `VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM`, `VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM`.
        const SPARSE = 1 << 0;
    }

    /// Which secrets a list holds; bits of one group are alternatives, groups add up.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SecretFilter: u32 {
        /// `VIR_CONNECT_LIST_SECRETS_EPHEMERAL`.
        const EPHEMERAL = 1 << 0;
        /// `VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL`.
        const NO_EPHEMERAL = 1 << 1;
        /// `VIR_CONNECT_LIST_SECRETS_PRIVATE`.
        const PRIVATE = 1 << 2;
        /// `VIR_CONNECT_LIST_SECRETS_NO_PRIVATE`.
        const NO_PRIVATE = 1 << 3;
    }

    /// How a secret's definition is taken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SecretDefineFlags: u32 {
        /// `VIR_SECRET_DEFINE_VALIDATE`.
        const VALIDATE = 1 << 0;
    }
}
