//! What the schema demands of a volume beyond what reading does. Facts of the schema that libvirt 11.3 installs.

use virtbus_xml::{Error, Node};

use super::{VolumeFormat, VolumeType};
use crate::strict::{check_part, check_sizes, is_absolute, refused};

type Checked = Result<(), Error>;

/// Formats the schema has beside those of volumes: file systems, and an encrypted image by its old name.
const MORE_FORMATS: &[&str] = &[
    "unknown", "luks", "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs",
    "ocfs2", "vmfs",
];

/// Refuses what the schema does not have.
pub(super) fn demands(node: Node<'_>) -> Checked {
    if node.attr("type").is_some_and(|it| it.value() == VolumeType::Ploop.as_str()) {
        return Err(refused(node, "volumes of this type cannot be made"));
    }
    let Some(target) = node.child("target") else { return Err(node.missing("target")) };
    if let Some(name) = node.child("name").filter(|it| it.text().contains('/')) {
        return Err(refused(name, "a name has no slash"));
    }
    check_sizes(node)?;
    check_part(target)?;
    check_times(target)?;
    check_format(target)?;
    if let Some(backing) = node.child("backingStore") {
        check_part(backing)?;
        check_times(backing)?;
        check_format(backing)?;
        match backing.child("path") {
            Some(path) if is_absolute(&path.text()) => {}
            Some(path) => return Err(refused(path, "the path is not absolute")),
            None => return Err(backing.missing("path")),
        }
    }
    Ok(())
}

/// Seconds, with a fraction of up to nine digits.
fn check_times(around: Node<'_>) -> Checked {
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let is_time = |text: &str| {
        let (seconds, rest) = text.split_once('.').unwrap_or((text, ""));
        !seconds.is_empty() && digits(seconds) && digits(rest) && rest.len() <= 9
    };
    let times = around.child("timestamps").into_iter().flat_map(|it| it.elements());
    match times.into_iter().find(|it| !is_time(&it.text())) {
        Some(time) => Err(refused(time, "no time in seconds")),
        None => Ok(()),
    }
}

fn check_format(around: Node<'_>) -> Checked {
    let Some(format) = around.child("format").and_then(|it| it.attr("type")) else { return Ok(()) };
    // What is on a partitioned disk is shown, but not asked for.
    let shown_only = |it: &VolumeFormat| {
        use VolumeFormat::{Bsd, Dos, Dvh, Gpt, Lvm2, Mac, Pc98, Sun};
        matches!(it, Dos | Dvh | Gpt | Mac | Bsd | Pc98 | Sun | Lvm2)
    };
    let name = format.value();
    if VolumeFormat::from_name(name).is_some_and(|it| !shown_only(&it)) || MORE_FORMATS.contains(&name) {
        return Ok(());
    }
    Err(format.error(virtbus_xml::ErrorKind::Unknown, format!("there is no format \"{name}\"")))
}
