//! What is on a device already: looked at before it is formatted, so that nothing is overwritten unasked.
//!
//! blkid(8) knows the signatures; it is part of util-linux, which every host has.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::process::Exit;

use crate::fault::{self, Faults as _};
use crate::tool::{SOON, Tool};

/// What blkid found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Signature {
    /// A file system, or another use of the whole device (`LVM2_member`).
    pub(super) format: Option<String>,
    /// A partition table.
    pub(super) table: Option<String>,
}

/// Looks at `device`.
///
/// # Errors
/// When it cannot be read, or several signatures contradict each other.
pub(super) async fn probe(device: &str) -> Result<Signature> {
    let arguments = ["-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", "--", device];
    let output = Tool::new("blkid").args(arguments).output(SOON).await?;
    match output.exit {
        Exit::Code(0) => Ok(parse(&String::from_utf8_lossy(&output.stdout))),
        // Nothing found.
        Exit::Code(2) if output.stderr.is_empty() => Ok(Signature::default()),
        _ => {
            let said = output.last_error_line();
            let detail = format!("cannot tell what is on '{device}': {said}");
            Err(Error::new(ErrorCode::StorageProbeFailed, detail).of_storage())
        }
    }
}

fn parse(text: &str) -> Signature {
    let value = |key: &str| text.lines().find_map(|it| it.strip_prefix(key)).map(str::to_owned);
    Signature { format: value("TYPE="), table: value("PTTYPE=") }
}

/// Refuses to format `device` as `wanted` where something is on it; the texts are those that tools look for.
pub(super) async fn refuse_used(device: &str, wanted: &str) -> Result<()> {
    let found = probe(device).await?;
    let Some(there) = found.format.as_deref().or(found.table.as_deref()) else { return Ok(()) };
    let detail = if there == wanted {
        format!("Device '{device}' already formatted using '{wanted}'")
    } else {
        format!(
            "Format of device '{device}' does not match the expected format '{wanted}', \
             forced overwrite is necessary"
        )
    };
    Err(Error::new(ErrorCode::StoragePoolBuilt, detail).of_storage())
}

/// Refuses two flags that say opposite things.
pub(super) fn check_overwrite(flags: virtbus_api::flags::PoolBuildFlags, function: &str) -> Result<()> {
    use virtbus_api::flags::PoolBuildFlags;
    let known = PoolBuildFlags::OVERWRITE | PoolBuildFlags::NO_OVERWRITE;
    if flags.contains(known) {
        // The code's phrase is not part of what the reference says here.
        let text = "Flags 'VIR_STORAGE_POOL_BUILD_OVERWRITE' and 'VIR_STORAGE_POOL_BUILD_NO_OVERWRITE' are mutually \
                    exclusive";
        return Err(fault::bad_argument(text));
    }
    let unknown = flags.difference(known);
    if unknown.is_empty() { Ok(()) } else { Err(fault::unknown_flags(unknown.bits(), function)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blkid_says() {
        let found = parse("DEVNAME=/dev/loop0\nTYPE=ext4\n");
        assert_eq!((found.format.as_deref(), found.table), (Some("ext4"), None));
        assert_eq!(parse("PTTYPE=gpt\n").table.as_deref(), Some("gpt"));
    }
}
