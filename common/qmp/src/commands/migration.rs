//! Moving a guest to a file or another host.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::{Done, commands};

commands! {
    /// How a migration is going.
    plain QueryMigrate = "query-migrate" -> MigrationInfo;
    /// Cancels one.
    plain MigrateCancel = "migrate_cancel" -> Done;
    /// Its capabilities.
    plain QueryMigrateCapabilities = "query-migrate-capabilities" -> Vec<MigrationCapability>;
    /// Its parameters.
    plain QueryMigrateParameters = "query-migrate-parameters" -> Value;
    with Migrate = "migrate" -> Done;
    with MigrateIncoming = "migrate-incoming" -> Done;
    with MigrateSetCapabilities = "migrate-set-capabilities" -> Done;
    with MigrateSetParameters = "migrate-set-parameters" -> Done;
}

/// Begins to migrate.
#[derive(Debug, Clone, Serialize)]
pub struct Migrate {
    /// `fd:NAME`, `unix:PATH`, `tcp:HOST:PORT`, ...
    pub uri: String,
    /// Returns at once if `None` or true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detach: Option<bool>,
}

/// Begins to receive.
#[derive(Debug, Clone, Serialize)]
pub struct MigrateIncoming {
    /// As for [`Migrate`].
    pub uri: String,
}

/// Switches capabilities.
#[derive(Debug, Clone, Serialize)]
pub struct MigrateSetCapabilities {
    /// Those to be changed.
    pub capabilities: Vec<MigrationCapability>,
}

/// A capability and whether it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationCapability {
    /// Its name.
    pub capability: String,
    /// Whether it is on.
    pub state: bool,
}

/// Sets parameters; an object.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct MigrateSetParameters(pub Value);

/// Reply of [`QueryMigrate`]; all `None` where none was ever begun.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct MigrationInfo {
    /// `setup`, `active`, `completed`, `failed`, `cancelled`, ...
    pub status: Option<String>,
    /// Memory moved.
    pub ram: Option<MigrationRam>,
    /// Milliseconds so far.
    pub total_time: Option<i64>,
    /// Milliseconds of downtime, once complete.
    pub downtime: Option<i64>,
    /// Milliseconds of downtime to be expected.
    pub expected_downtime: Option<i64>,
    /// Milliseconds of set-up.
    pub setup_time: Option<i64>,
    /// Why it failed.
    pub error_desc: Option<String>,
}

/// Memory moved by a migration, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct MigrationRam {
    /// Sent.
    pub transferred: i64,
    /// Left.
    pub remaining: i64,
    /// In all.
    pub total: i64,
    /// Pages that were zero.
    pub duplicate: i64,
    /// Pages sent.
    pub normal: i64,
    /// Pages dirtied a second.
    pub dirty_pages_rate: i64,
    /// Megabits a second.
    pub mbps: f64,
    /// Bytes of a page.
    pub page_size: i64,
    /// Passes over memory.
    pub dirty_sync_count: i64,
}
