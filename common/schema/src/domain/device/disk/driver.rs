//! `<driver>` of a disk: how QEMU opens and serves the image.

use virtbus_xml::{OnOff, Xml, XmlEnum};

use crate::domain::device::address::VirtioOptions;

/// `<driver name='qemu' type='qcow2' cache='none'/>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct DiskDriver {
    #[xml(attr, form = crate::forms::word)]
    pub name: Option<String>,
    /// The image format.
    #[xml(attr = "type", form = crate::forms::image_format)]
    pub format: Option<String>,
    #[xml(attr)]
    pub cache: Option<DiskCache>,
    #[xml(attr)]
    pub error_policy: Option<DiskErrorPolicy>,
    #[xml(attr)]
    pub rerror_policy: Option<DiskReadErrorPolicy>,
    #[xml(attr)]
    pub io: Option<DiskIo>,
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    #[xml(attr)]
    pub event_idx: Option<OnOff>,
    #[xml(attr)]
    pub copy_on_read: Option<OnOff>,
    #[xml(attr)]
    pub discard: Option<DiskDiscard>,
    #[xml(attr)]
    pub iothread: Option<u32>,
    #[xml(attr)]
    pub detect_zeroes: Option<DiskDetect>,
    #[xml(attr)]
    pub discard_no_unref: Option<OnOff>,
    #[xml(attr, form = crate::forms::positive)]
    pub queues: Option<u32>,
    #[xml(attr, form = crate::forms::positive)]
    pub queue_size: Option<u32>,
    #[xml(flatten)]
    pub virtio: VirtioOptions,
    #[xml(child)]
    pub metadata_cache: Option<MetadataCache>,
    #[xml(children = "iothreads/iothread")]
    pub iothreads: Vec<DiskIoThread>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskCache {
    Default,
    None,
    Writethrough,
    Writeback,
    Directsync,
    Unsafe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskErrorPolicy {
    Stop,
    Report,
    Ignore,
    Enospace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskReadErrorPolicy {
    Stop,
    Report,
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskIo {
    Native,
    Threads,
    #[xml(name = "io_uring")]
    IoUring,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskDiscard {
    Unmap,
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskDetect {
    Off,
    On,
    Unmap,
}

/// `<iothread id='2'><queue id='1'/></iothread>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct DiskIoThread {
    #[xml(attr)]
    pub id: u32,
    #[xml(children = "queue")]
    pub queues: Vec<QueueId>,
}

/// `<queue id='1'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct QueueId {
    #[xml(attr)]
    pub id: u32,
}

/// `<metadata_cache><max_size unit='bytes'>1234</max_size></metadata_cache>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MetadataCache {
    #[xml(child)]
    pub max_size: Option<virtbus_xml::ByteSize>,
}
