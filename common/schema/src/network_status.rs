//! `<networkstatus>`: what the daemon keeps of an active network so that it finds it again, in libvirt's form.

use virtbus_xml::{CpuSet, Document, Error, FormatOptions, Xml};

use crate::network::Network;

/// An active network.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct NetworkStatus {
    /// Classes of the bridge's queue that are taken; the first three are the network's own.
    #[xml(attr = "class_id/@bitmap", lenient)]
    pub class_ids: Option<CpuSet>,
    /// What all ports are guaranteed, in KiB/s.
    #[xml(attr = "floor/@sum", lenient)]
    pub floor_sum: Option<u64>,
    /// What runs.
    #[xml(child)]
    pub network: Network,
}

impl NetworkStatus {
    /// The root element's name.
    pub const ROOT: &'static str = "networkstatus";

    /// Reads a status file.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(Document::parse(text)?.root_named(Self::ROOT)?)
    }

    /// Writes the status.
    #[must_use]
    pub fn format(&self) -> String {
        let options = FormatOptions { secure: true, status: true, ..FormatOptions::default() };
        virtbus_xml::to_string(self, Self::ROOT, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_and_writes_alike() {
        let text = "<networkstatus>
  <class_id bitmap='0-2'/>
  <floor sum='0'/>
  <network>
    <name>n</name>
    <uuid>e7639950-68da-49fd-af0f-c9ea0d44498f</uuid>
    <forward mode='open'/>
    <bridge name='b9' stp='on' delay='0'/>
    <mac address='52:54:00:49:b9:6d'/>
  </network>
</networkstatus>
";
        assert_eq!(NetworkStatus::parse(text).expect("it is a status").format(), text);
    }
}
