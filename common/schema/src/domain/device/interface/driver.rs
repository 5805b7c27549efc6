//! `<driver>` and `<backend>` of an interface.

use virtbus_xml::{OnOff, Xml, XmlEnum};

use crate::domain::device::address::VirtioOptions;

/// `<driver name='vhost' queues='4'/>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct InterfaceDriver {
    #[xml(attr)]
    pub name: Option<InterfaceDriverName>,
    #[xml(attr)]
    pub txmode: Option<TxMode>,
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    #[xml(attr)]
    pub event_idx: Option<OnOff>,
    #[xml(attr, form = crate::forms::positive)]
    pub queues: Option<u32>,
    #[xml(attr, form = crate::forms::positive)]
    pub rx_queue_size: Option<u32>,
    #[xml(attr, form = crate::forms::positive)]
    pub tx_queue_size: Option<u32>,
    #[xml(attr)]
    pub rss: Option<OnOff>,
    #[xml(attr)]
    pub rss_hash_report: Option<OnOff>,
    #[xml(flatten)]
    pub virtio: VirtioOptions,
    #[xml(child, omit_empty)]
    pub host: Option<Offloads>,
    #[xml(child, omit_empty)]
    pub guest: Option<Offloads>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InterfaceDriverName {
    Qemu,
    Vhost,
    Vfio,
    Kvm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum TxMode {
    Iothread,
    Timer,
}

/// `<host csum='off' gso='off'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Offloads {
    #[xml(attr)]
    pub csum: Option<OnOff>,
    #[xml(attr)]
    pub gso: Option<OnOff>,
    #[xml(attr)]
    pub tso4: Option<OnOff>,
    #[xml(attr)]
    pub tso6: Option<OnOff>,
    #[xml(attr)]
    pub ecn: Option<OnOff>,
    #[xml(attr)]
    pub ufo: Option<OnOff>,
    #[xml(attr)]
    pub mrg_rxbuf: Option<OnOff>,
}

/// `<backend type='passt' logFile='/path'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct InterfaceBackend {
    #[xml(attr = "type")]
    pub kind: Option<InterfaceBackendKind>,
    #[xml(attr, form = crate::forms::absolute)]
    pub tap: Option<String>,
    #[xml(attr, form = crate::forms::absolute)]
    pub vhost: Option<String>,
    #[xml(attr = "logFile", form = crate::forms::absolute)]
    pub log_file: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum InterfaceBackendKind {
    Default,
    Passt,
}
