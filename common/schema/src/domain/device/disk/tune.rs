//! Geometry, block sizes and throttling of a disk.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum};

/// `<geometry cyls='16383' heads='16' secs='63' trans='lba'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Geometry {
    #[xml(attr)]
    pub cyls: u32,
    #[xml(attr)]
    pub heads: u32,
    #[xml(attr)]
    pub secs: u32,
    #[xml(attr)]
    pub trans: Option<GeometryTranslation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum GeometryTranslation {
    None,
    Auto,
    Lba,
}

/// `<blockio logical_block_size='512' physical_block_size='4096'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct BlockIo {
    #[xml(attr)]
    pub logical_block_size: Option<u32>,
    #[xml(attr)]
    pub physical_block_size: Option<u32>,
    #[xml(attr)]
    pub discard_granularity: Option<u32>,
}

/// `<throttlefilter group='limit0'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct ThrottleFilter {
    #[xml(attr)]
    pub group: String,
}

/// `<iotune>`, and `<throttlegroup>`: bytes and requests per second; bursts; how long a burst may last in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct IoTune {
    #[xml(child)]
    pub total_bytes_sec: Option<u64>,
    #[xml(child)]
    pub read_bytes_sec: Option<u64>,
    #[xml(child)]
    pub write_bytes_sec: Option<u64>,
    #[xml(child)]
    pub total_iops_sec: Option<u64>,
    #[xml(child)]
    pub read_iops_sec: Option<u64>,
    #[xml(child)]
    pub write_iops_sec: Option<u64>,
    #[xml(child)]
    pub total_bytes_sec_max: Option<u64>,
    #[xml(child)]
    pub read_bytes_sec_max: Option<u64>,
    #[xml(child)]
    pub write_bytes_sec_max: Option<u64>,
    #[xml(child)]
    pub total_iops_sec_max: Option<u64>,
    #[xml(child)]
    pub read_iops_sec_max: Option<u64>,
    #[xml(child)]
    pub write_iops_sec_max: Option<u64>,
    #[xml(child)]
    pub size_iops_sec: Option<u64>,
    #[xml(child)]
    pub group_name: Option<String>,
    #[xml(child)]
    pub total_bytes_sec_max_length: Option<u64>,
    #[xml(child)]
    pub read_bytes_sec_max_length: Option<u64>,
    #[xml(child)]
    pub write_bytes_sec_max_length: Option<u64>,
    #[xml(child)]
    pub total_iops_sec_max_length: Option<u64>,
    #[xml(child)]
    pub read_iops_sec_max_length: Option<u64>,
    #[xml(child)]
    pub write_iops_sec_max_length: Option<u64>,
}

impl IoTune {
    /// A limit is of all requests, or of reads and writes.
    pub(crate) fn check_sums(&self, node: Node<'_>) -> Result<(), Error> {
        let both = |all: Option<u64>, read: Option<u64>, write: Option<u64>| {
            let set = |it: Option<u64>| it.unwrap_or(0) > 0;
            set(all) && (set(read) || set(write))
        };
        let pairs = [
            ("bytes_sec", both(self.total_bytes_sec, self.read_bytes_sec, self.write_bytes_sec)),
            ("iops_sec", both(self.total_iops_sec, self.read_iops_sec, self.write_iops_sec)),
            ("bytes_sec_max", both(self.total_bytes_sec_max, self.read_bytes_sec_max, self.write_bytes_sec_max)),
            ("iops_sec_max", both(self.total_iops_sec_max, self.read_iops_sec_max, self.write_iops_sec_max)),
        ];
        match pairs.iter().find(|(_, both)| *both) {
            Some((what, _)) => {
                Err(node
                    .error(ErrorKind::BadValue, format!("total and read/write {what} cannot be set at the same time")))
            }
            None => Ok(()),
        }
    }
}
