//! What an administrator's scripts (`hooks/qemu`, `hooks/qemu.d/*`) are told of guests: the turns of their lives, and their documents.
//!
//! A script that fails before the guest runs keeps it from running; afterwards that is only logged. What a script prints is for
//! the operations that may change a document, which start and end cannot.

use std::path::Path;

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::hook::{self, Happening, Hooks};
use virtbus_schema::domain::Domain;
use virtbus_schema::xml::FormatOptions;

/// The file's name below the hooks' directory.
const DRIVER: &str = "qemu";

/// A turn in a guest's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Before anything is made ready.
    Prepare,
    /// Before QEMU runs.
    Start,
    /// The guest runs.
    Started,
    /// QEMU has ended.
    Stopped,
    /// Everything is given back, and why it ended.
    Release(&'static str),
    /// A new daemon has taken the guest over.
    Reconnect,
}

impl Turn {
    fn happening(self) -> (Happening, &'static str) {
        let (operation, part, why) = match self {
            Self::Prepare => ("prepare", "begin", "-"),
            Self::Start => ("start", "begin", "-"),
            Self::Started => ("started", "begin", "-"),
            Self::Stopped => ("stopped", "end", "-"),
            Self::Release(why) => ("release", "end", why),
            Self::Reconnect => ("reconnect", "begin", "-"),
        };
        (Happening { operation, part }, why)
    }
}

/// Runs the scripts, and waits for them.
///
/// # Errors
/// `HOOK_SCRIPT_FAILED` with what the first that failed said.
pub(crate) async fn run(directory: &Path, turn: Turn, document: &Domain) -> Result<()> {
    let hooks = Hooks::new(directory);
    let looked = tokio::task::spawn_blocking(move || hooks.of(DRIVER)).await;
    let scripts = looked.map_err(|error| Error::internal("looking for hooks").caused_by(error))?;
    if scripts.is_empty() {
        return Ok(());
    }
    let (what, why) = turn.happening();
    let xml = document.format(FormatOptions::default());
    let done = hook::run_because(scripts, &document.name, what, why, &xml).await;
    done.map_err(|error| Error::new(ErrorCode::HookScriptFailed, error.to_string()))
}

/// As [`run`] where nothing can be kept from happening any more: a failure is logged.
pub(crate) async fn tell(directory: &Path, turn: Turn, document: &Domain) {
    if let Err(error) = run(directory, turn, document).await {
        tracing::warn!(domain = document.name, "{error}");
    }
}
