//! All kinds of pools that there are, and which of them this daemon serves.

use virtbus_schema::storage_pool::PoolKind;

/// Every kind with libvirt's number for it, in that order, and whether it is served.
const KINDS: [(PoolKind, u32, bool); 14] = [
    (PoolKind::Dir, 0, true),
    (PoolKind::Fs, 1, true),
    (PoolKind::Netfs, 2, true),
    (PoolKind::Logical, 3, true),
    (PoolKind::Disk, 4, true),
    (PoolKind::Iscsi, 5, false),
    (PoolKind::IscsiDirect, 6, false),
    (PoolKind::Scsi, 7, false),
    (PoolKind::Mpath, 8, false),
    (PoolKind::Rbd, 9, false),
    (PoolKind::Sheepdog, 10, false),
    (PoolKind::Gluster, 11, false),
    (PoolKind::Zfs, 12, false),
    (PoolKind::Vstorage, 13, false),
];

/// libvirt's number of a kind, and its name.
pub(super) fn number_and_name(kind: PoolKind) -> (u32, &'static str) {
    let number = KINDS.iter().find(|row| row.0 == kind).map_or(0, |row| row.1);
    (number, kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_has_a_backend_and_the_rest_is_refused_by_name() {
        for (kind, number, served) in KINDS {
            match crate::backend::of(kind) {
                Ok(_) => assert!(served, "{kind}"),
                Err(error) => {
                    assert!(!served, "{kind}");
                    let text = format!("internal error: missing backend for pool type {number} ({kind})");
                    assert_eq!(error.message(), text);
                }
            }
        }
    }
}
