//! What the schema demands of a pool of each kind beyond what reading does: which parts its source has to have and may
//! have, and how paths look. Facts of the schema that libvirt 11.3 installs.

use virtbus_xml::{Error, Node};

use super::PoolKind;
use crate::strict::{check_part, check_sizes, is_absolute, refused};

type Checked = Result<(), Error>;

/// What a source of a kind has.
struct Parts {
    /// Must be there.
    needed: &'static [&'static str],
    /// May be there as well.
    allowed: &'static [&'static str],
}

const fn parts(kind: PoolKind) -> Parts {
    let (needed, allowed): (&[&str], &[&str]) = match kind {
        PoolKind::Dir => (&[], &["vendor", "product"]),
        PoolKind::Fs | PoolKind::Disk => (&["device"], &["format", "vendor", "product"]),
        PoolKind::Netfs => (&["host", "dir"], &["format", "protocol", "vendor", "product"]),
        PoolKind::Logical => (&[], &["name", "device", "format", "vendor", "product"]),
        PoolKind::Iscsi => (&["host", "device"], &["initiator", "auth", "vendor", "product"]),
        PoolKind::IscsiDirect => (&["host", "device", "initiator"], &["auth"]),
        PoolKind::Scsi => (&["adapter"], &["vendor", "product"]),
        PoolKind::Mpath => (&[], &[]),
        PoolKind::Rbd => (&["name", "host"], &["auth"]),
        PoolKind::Sheepdog => (&["name", "host"], &[]),
        PoolKind::Gluster => (&["name", "host"], &["dir"]),
        PoolKind::Zfs => (&["name"], &["device"]),
        PoolKind::Vstorage => (&["name"], &[]),
    };
    Parts { needed, allowed }
}

/// Refuses what the schema of this kind does not have.
pub(super) fn demands(node: Node<'_>) -> Checked {
    let Some(kind) = node.attr("type").and_then(|it| PoolKind::from_name(it.value())) else { return Ok(()) };
    if node.child("name").is_none() && !kind.has_source_name() {
        return Err(node.missing("name"));
    }
    check_sizes(node)?;
    if let Some(cow) = node.descend(&["features", "cow"]).filter(|it| it.attr("state").is_none()) {
        return Err(cow.missing("@state"));
    }
    match node.child("source") {
        Some(source) => check_source(source, kind)?,
        None if !matches!(kind, PoolKind::Dir | PoolKind::Mpath) => return Err(node.missing("source")),
        None => {}
    }
    check_target(node, kind)?;
    for (part, allowed) in [
        ("refresh", kind == PoolKind::Rbd),
        ("fs:mount_opts", matches!(kind, PoolKind::Fs | PoolKind::Netfs)),
        ("rbd:config_opts", kind == PoolKind::Rbd),
    ] {
        if let Some(stray) = node.child(part).filter(|_| !allowed) {
            return Err(refused(stray, format!("a {kind} pool has no such part")));
        }
    }
    Ok(())
}

fn check_source(source: Node<'_>, kind: PoolKind) -> Checked {
    let Parts { needed, allowed } = parts(kind);
    if let Some(missing) = needed.iter().find(|it| source.child(it).is_none()) {
        return Err(source.missing(missing));
    }
    let is_known = |it: &Node<'_>| needed.contains(&it.local_name()) || allowed.contains(&it.local_name());
    if let Some(stray) = source.elements().find(|it| !is_known(it)) {
        return Err(refused(stray, format!("the source of a {kind} pool has no such part")));
    }
    check_part(source)?;
    for (part, attr) in [("host", "name"), ("protocol", "ver")] {
        let empty = |it: &Node<'_>| it.attr(attr).is_none_or(|it| it.value().is_empty());
        if let Some(part) = source.children(part).find(empty) {
            return Err(part.missing(&format!("@{attr}")));
        }
    }
    if let Some(name) = source.child("name").filter(|it| it.text().is_empty()) {
        return Err(refused(name, "the name is empty"));
    }
    let several = kind == PoolKind::Logical;
    if let Some(second) = source.children("device").nth(1).filter(|_| !several) {
        return Err(refused(second, format!("a {kind} pool has one device")));
    }
    for device in source.children("device") {
        let path = device.attr("path").map_or("", |it| it.value());
        let is_word =
            !path.is_empty() && path.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'+' | b'-'));
        let fits = match kind {
            PoolKind::IscsiDirect => is_iscsi_name(path),
            _ => is_absolute(path) || is_word || is_iscsi_name(path),
        };
        if !fits {
            return Err(refused(device, format!("\"{path}\" is neither a path nor an iSCSI name")));
        }
    }
    // Where the server has no file system of its own, the directory is one of its names.
    let format = source.child("format").and_then(|it| it.attr("type")).map_or("", |it| it.value());
    let relative = matches!(format, "cifs" | "glusterfs");
    match source.child("dir") {
        Some(dir) if !relative && !dir.attr("path").is_some_and(|it| it.value().starts_with('/')) => {
            Err(refused(dir, "the directory is not an absolute path"))
        }
        _ => Ok(()),
    }
}

fn check_target(node: Node<'_>, kind: PoolKind) -> Checked {
    let Some(target) = node.child("target") else {
        return match kind {
            PoolKind::Zfs => Ok(()),
            _ if kind.has_target() => Err(node.missing("target")),
            _ => Ok(()),
        };
    };
    if !kind.has_target() {
        return Err(refused(target, format!("a {kind} pool has no target")));
    }
    check_part(target)?;
    match target.child("path") {
        Some(path) if !is_absolute(&path.text()) => Err(refused(path, "the path is not absolute")),
        None if kind != PoolKind::Logical => Err(target.missing("path")),
        _ => Ok(()),
    }
}

/// `iqn.2013-06.com.example:name`.
fn is_iscsi_name(name: &str) -> bool {
    let Some((date, authority)) = name.strip_prefix("iqn.").and_then(|it| it.split_once('.')) else { return false };
    let is_date = date.split_once('-').is_some_and(|(year, month)| {
        let is_year = year.len() == 4 && year.bytes().all(|it| it.is_ascii_digit());
        is_year && month.len() == 2 && month.parse::<u8>().is_ok_and(|it| (1..=12).contains(&it))
    });
    let (authority, own) = authority.split_once(':').unwrap_or((authority, "-"));
    let is_authority = authority.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-'));
    is_date && is_authority && !authority.is_empty() && !own.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_iscsi_name;

    #[test]
    fn iscsi_names_begin_with_a_month() {
        assert!(is_iscsi_name("iqn.2013-06.com.example:pool") && is_iscsi_name("iqn.2013-06.com.example"));
        for other in ["iqn.2013-13.com.example", "iqn.13-06.com", "eui.0123", "iqn.2013-06.", "iqn.2013-06.com:", "d"] {
            assert!(!is_iscsi_name(other), "{other}");
        }
    }
}
