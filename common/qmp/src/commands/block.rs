//! Block nodes, drives and what they have done.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::{Done, commands};

commands! {
    /// Drives with their media.
    plain QueryBlock = "query-block" -> Vec<BlockInfo>;
    /// Block jobs under way.
    plain QueryBlockJobs = "query-block-jobs" -> Vec<BlockJobInfo>;
    /// Jobs of any kind.
    plain QueryJobs = "query-jobs" -> Vec<JobInfo>;
    with QueryNamedBlockNodes = "query-named-block-nodes" -> Vec<Value>;
    with QueryBlockStats = "query-blockstats" -> Vec<BlockStats>;
    with BlockdevAdd = "blockdev-add" -> Done;
    with BlockdevDel = "blockdev-del" -> Done;
    with BlockdevReopen = "blockdev-reopen" -> Done;
    with BlockdevOpenTray = "blockdev-open-tray" -> Done;
    with BlockdevCloseTray = "blockdev-close-tray" -> Done;
    with BlockdevInsertMedium = "blockdev-insert-medium" -> Done;
    with BlockdevRemoveMedium = "blockdev-remove-medium" -> Done;
    with BlockResize = "block_resize" -> Done;
    with BlockSetIoThrottle = "block_set_io_throttle" -> Done;
    with Eject = "eject" -> Done;
}

/// Block nodes by name.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct QueryNamedBlockNodes {
    /// Without the chain behind each node: keeps the reply linear in size.
    pub flat: bool,
}

/// Counters of drives or nodes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct QueryBlockStats {
    /// Of all nodes rather than of drives.
    pub query_nodes: bool,
}

/// Opens a block node; an object with `driver` and `node-name`.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct BlockdevAdd<P: Serialize = Value>(pub P);

/// Closes a block node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevDel {
    /// Its name.
    pub node_name: String,
}

/// Opens nodes anew with other options.
#[derive(Debug, Clone, Serialize)]
pub struct BlockdevReopen {
    /// As for [`BlockdevAdd`].
    pub options: Vec<Value>,
}

/// Opens a drive's tray.
#[derive(Debug, Clone, Serialize)]
pub struct BlockdevOpenTray {
    /// Device id.
    pub id: String,
    /// Even if the guest has locked it.
    pub force: bool,
}

/// Closes a drive's tray.
#[derive(Debug, Clone, Serialize)]
pub struct BlockdevCloseTray {
    /// Device id.
    pub id: String,
}

/// Puts a node into a drive.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevInsertMedium {
    /// Device id.
    pub id: String,
    /// The node.
    pub node_name: String,
}

/// Takes the medium out of a drive.
#[derive(Debug, Clone, Serialize)]
pub struct BlockdevRemoveMedium {
    /// Device id.
    pub id: String,
}

/// Changes the size of an image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockResize {
    /// The node.
    pub node_name: String,
    /// Bytes.
    pub size: u64,
}

/// Limits a drive, alone or with those of its group: bytes and requests a second, 0 for no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BlockSetIoThrottle {
    /// Device id or object path.
    pub id: String,
    /// Bytes.
    pub bps: u64,
    /// Bytes read.
    pub bps_rd: u64,
    /// Bytes written.
    pub bps_wr: u64,
    /// Requests.
    pub iops: u64,
    /// Read requests.
    pub iops_rd: u64,
    /// Write requests.
    pub iops_wr: u64,
    /// Bytes in a burst, and so on.
    pub bps_max: u64,
    /// Bytes read in a burst.
    pub bps_rd_max: u64,
    /// Bytes written in a burst.
    pub bps_wr_max: u64,
    /// Requests in a burst.
    pub iops_max: u64,
    /// Read requests in a burst.
    pub iops_rd_max: u64,
    /// Write requests in a burst.
    pub iops_wr_max: u64,
    /// Seconds a burst may last; a second if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bps_max_length: Option<u64>,
    /// The same for reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bps_rd_max_length: Option<u64>,
    /// The same for writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bps_wr_max_length: Option<u64>,
    /// The same for requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_max_length: Option<u64>,
    /// The same for read requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_rd_max_length: Option<u64>,
    /// The same for write requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_wr_max_length: Option<u64>,
    /// Bytes that count as one request; 0 counts each as one.
    pub iops_size: u64,
    /// The group; one of its own if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Ejects a medium.
#[derive(Debug, Clone, Serialize)]
pub struct Eject {
    /// Device id.
    pub id: String,
    /// Even if the guest has locked it.
    pub force: bool,
}

/// A drive.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockInfo {
    /// Name of a legacy drive; empty for nodes.
    #[serde(default)]
    pub device: String,
    /// Object path or id of the device.
    pub qdev: Option<String>,
    /// Whether media can be changed.
    #[serde(default)]
    pub removable: bool,
    /// Whether the guest has locked the tray.
    #[serde(default)]
    pub locked: bool,
    /// Whether the tray is open, where there is one.
    #[serde(rename = "tray_open")]
    pub tray_open: Option<bool>,
    /// `ok`, `failed`, `nospace`.
    pub io_status: Option<String>,
    /// The medium.
    pub inserted: Option<Value>,
}

/// Counters of a drive or node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockStats {
    /// Name of a legacy drive.
    pub device: Option<String>,
    /// Object path or id of the device.
    pub qdev: Option<String>,
    /// The node.
    pub node_name: Option<String>,
    /// The counters.
    pub stats: BlockCounters,
    /// The same of the node below.
    pub parent: Option<Box<BlockStats>>,
    /// The same of the backing node.
    pub backing: Option<Box<BlockStats>>,
}

/// What was read, written and flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct BlockCounters {
    /// Bytes read.
    pub rd_bytes: u64,
    /// Bytes written.
    pub wr_bytes: u64,
    /// Read requests.
    pub rd_operations: u64,
    /// Write requests.
    pub wr_operations: u64,
    /// Flushes.
    pub flush_operations: u64,
    /// Nanoseconds spent reading.
    pub rd_total_time_ns: u64,
    /// Nanoseconds spent writing.
    pub wr_total_time_ns: u64,
    /// Nanoseconds spent flushing.
    pub flush_total_time_ns: u64,
    /// Highest byte written, plus one.
    pub wr_highest_offset: u64,
    /// Failed reads.
    pub failed_rd_operations: u64,
    /// Failed writes.
    pub failed_wr_operations: u64,
}

/// A block job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockJobInfo {
    /// `mirror`, `backup`, `stream`, `commit`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The job's id.
    pub device: String,
    /// Bytes to do.
    pub len: i64,
    /// Bytes done.
    pub offset: i64,
    /// Whether it can be completed.
    #[serde(default)]
    pub ready: bool,
    /// Bytes a second, 0 for no limit.
    #[serde(default)]
    pub speed: i64,
    /// `ok`, `failed`, `nospace`.
    pub io_status: Option<String>,
    /// Its error.
    pub error: Option<String>,
}

/// A job of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobInfo {
    /// Its id.
    pub id: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// `running`, `ready`, `concluded`, ...
    pub status: String,
    /// Progress so far.
    #[serde(default)]
    pub current_progress: i64,
    /// Progress at the end, as far as known.
    #[serde(default)]
    pub total_progress: i64,
    /// Its error.
    pub error: Option<String>,
}
