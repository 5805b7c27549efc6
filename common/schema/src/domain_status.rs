//! `<domstatus>`: what the daemon keeps of a running domain so that it finds it again. In libvirt's form, as far as that goes: what
//! is ours alone is ignored by libvirt, and what we do not need of libvirt's is not kept.

use uuid::Uuid;
use virtbus_xml::{Error, FormatOptions, Mac, Xml};

use crate::domain::Domain;
use crate::network::MacTableManager;

/// A running domain with its process.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct DomainStatus {
    /// The state's word, as `running`.
    #[xml(attr)]
    pub state: String,
    /// The reason's word, as `booted`.
    #[xml(attr)]
    pub reason: String,
    /// QEMU's pid.
    #[xml(attr)]
    pub pid: u32,
    /// Ours: the process's start time in clock ticks since boot, so that the pid cannot mean another process.
    #[xml(attr = "process/@start")]
    pub start_time: Option<u64>,
    #[xml(child)]
    pub monitor: Option<MonitorSocket>,
    /// What taints the domain, as `custom-monitor`.
    #[xml(children = "taint")]
    pub taints: Vec<Taint>,
    #[xml(children = "vcpus/vcpu")]
    pub vcpus: Vec<VcpuThread>,
    /// The aliases of the devices QEMU has.
    #[xml(children = "devices/device")]
    pub devices: Vec<DeviceAlias>,
    #[xml(attr = "libDir/@path")]
    pub lib_dir: Option<String>,
    #[xml(attr = "channelTargetDir/@path")]
    pub channel_dir: Option<String>,
    /// Ours: files that were given to QEMU's user, with whom they go back to.
    #[xml(children = "owners/file")]
    pub owners: Vec<FileOwner>,
    /// Ours: ports of networks that the guest is plugged into.
    #[xml(children = "ports/port")]
    pub ports: Vec<PluggedPort>,
    /// Whether the next shutdown of the guest is half of a reboot.
    #[xml(flag)]
    pub fakereboot: bool,
    /// Ours: whether the guest ends with the client that started it.
    #[xml(flag)]
    pub autodestroy: bool,
    /// What runs.
    #[xml(child)]
    pub domain: Domain,
}

/// `<monitor path='/var/lib/libvirt/qemu/domain-1-vm/monitor.sock' type='unix'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct MonitorSocket {
    #[xml(attr)]
    pub path: String,
    #[xml(attr = "type")]
    pub kind: String,
}

/// `<taint flag='custom-monitor'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Taint {
    #[xml(attr)]
    pub flag: String,
}

/// `<vcpu id='0' pid='4711'/>`: the thread of a vCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct VcpuThread {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub pid: u32,
}

/// `<device alias='virtio-disk0'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct DeviceAlias {
    #[xml(attr)]
    pub alias: String,
}

/// `<file path='/images/a.qcow2' uid='0' gid='0'/>`: whom the file goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct FileOwner {
    #[xml(attr)]
    pub path: String,
    #[xml(attr)]
    pub uid: u32,
    #[xml(attr)]
    pub gid: u32,
}

/// `<port network='default' uuid='...' mac='...'/>`: what is to be unplugged in the end, and what the card's own element does not
/// say of it once it is written as what it is plugged into.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct PluggedPort {
    #[xml(attr)]
    pub network: String,
    #[xml(attr)]
    pub uuid: Uuid,
    /// The card's address, by which it is found.
    #[xml(attr)]
    pub mac: Option<Mac>,
    #[xml(attr)]
    pub group: Option<String>,
    /// Who keeps the table of the bridge that the card is plugged into.
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

impl DomainStatus {
    /// The root element's name.
    pub const ROOT: &'static str = "domstatus";

    /// Reads a status file; libvirt's own are understood.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, Self::ROOT)
    }

    /// Writes it, with secrets and run-time state.
    #[must_use]
    pub fn format(&self) -> String {
        let options = FormatOptions { secure: true, inactive: false, migratable: false, status: true };
        virtbus_xml::to_string(self, Self::ROOT, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libvirts_status_is_understood() {
        let text = "<domstatus state='paused' reason='user' pid='19451'>\n  <monitor path='/m.sock' type='unix'/>\n  \
            <namespaces><mount/></namespaces>\n  <vcpus><vcpu id='0' pid='19458'/></vcpus>\n  \
            <libDir path='/var/lib/libvirt/qemu/domain-1-t1'/>\n  <domain type='kvm' id='1'><name>t1</name>\
            <memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>\n</domstatus>";
        let status = DomainStatus::parse(text).expect("understood");
        assert_eq!((status.pid, status.start_time, status.domain.id), (19451, None, Some(1)));
        assert_eq!(status.vcpus, [VcpuThread { id: 0, pid: 19458 }]);
        assert_eq!(DomainStatus::parse(&status.format()).expect("our own"), status);
    }
}
