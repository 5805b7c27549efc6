//! Claims and releases on real files; what needs root is left out without it.

use super::*;

const GUEST: Owner = Owner { uid: 64055, gid: 64055 };

/// A file owned by 1234:567 where the test may do that, and whether attributes are kept there.
fn image() -> Option<(tempfile::TempDir, PathBuf, bool)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let root = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let path = root.path().join("disk.img");
    std::fs::write(&path, "x").expect("written");
    std::os::unix::fs::chown(&path, Some(1234), Some(567)).expect("root may");
    let kept = xattr::write(&path, Owner::ROOT, 1).is_ok();
    xattr::clear(&path);
    Some((root, path, kept))
}

fn owner(path: &Path) -> Owner {
    Held::open(path, None).expect("opens").owner().expect("readable")
}

#[test]
fn the_last_user_restores_the_owner() {
    let Some((_root, path, true)) = image() else { return };
    let before = Owner { uid: 1234, gid: 567 };
    let claimed = Claim { before, remembered: true };
    assert_eq!(claim(&path, GUEST, true).expect("claimed"), claimed);
    assert_eq!(claim(&path, GUEST, true).expect("shared"), claimed);
    let refused = claim(&path, Owner { uid: 7, gid: 7 }, true).expect_err("other owner").to_string();
    assert!(refused.ends_with("is in use by another guest as user 64055, group 64055"), "{refused}");
    assert!(!release(&path, Some(GUEST.uid), None, true).expect("one left"));
    assert_eq!(owner(&path), GUEST);
    assert!(release(&path, Some(GUEST.uid), None, true).expect("restored"));
    assert_eq!(owner(&path), before);
    assert_eq!(xattr::read(&path), Some(xattr::Memory { owner: None, users: 0 }));
}

#[test]
fn notes_of_another_boot_are_void() {
    let Some((_root, path, true)) = image() else { return };
    xattr::note(&path, "+5:+5", "3", "1").expect("written");
    let claimed = claim(&path, GUEST, true).expect("claimed");
    assert_eq!(claimed.before, Owner { uid: 1234, gid: 567 });
    assert!(release(&path, Some(GUEST.uid), None, true).expect("restored"));
}

#[test]
fn without_notes_the_fallback_counts() {
    let Some((_root, path, _)) = image() else { return };
    let claimed = claim(&path, GUEST, false).expect("claimed");
    assert_eq!(claimed, Claim { before: Owner { uid: 1234, gid: 567 }, remembered: false });
    assert!(!release(&path, Some(GUEST.uid), None, false).expect("nothing to restore"));
    assert!(release(&path, Some(GUEST.uid), Some(claimed.before), false).expect("restored"));
    assert_eq!(owner(&path), claimed.before);
}

#[test]
fn links_are_followed_and_missing_files_said() {
    let Some((root, path, _)) = image() else { return };
    let link = root.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    claim(&link, GUEST, true).expect("claimed");
    assert_eq!(owner(&path), GUEST);
    let error = claim(&root.path().join("absent"), GUEST, true).expect_err("absent");
    assert!(matches!(error, LabelError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound));
}

/// Who has broken into a guest may swap its files for links, but gains nothing by it.
#[test]
fn links_of_the_guests_user_are_not_followed() {
    let Some((root, path, _)) = image() else { return };
    let secret = root.path().join("secret");
    std::fs::write(&secret, "s").expect("written");
    let before = owner(&secret);
    let planted = |at: &Path, to: &Path| {
        std::os::unix::fs::symlink(to, at).expect("linked");
        std::os::unix::fs::lchown(at, Some(GUEST.uid), Some(GUEST.gid)).expect("root may");
    };
    let file = root.path().join("nvram");
    planted(&file, Path::new("secret"));
    let directory = root.path().join("directory");
    planted(&directory, root.path());
    for path in [file.clone(), directory.join("secret"), directory.join("../directory/secret")] {
        let error = claim(&path, GUEST, true).expect_err("a link");
        assert!(matches!(error, LabelError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied));
        release(&path, Some(GUEST.uid), Some(GUEST), true).expect_err("a link");
    }
    // Links of others lead on, absolute and relative ones, up and down.
    let link = root.path().join("link");
    std::os::unix::fs::symlink(format!("../{}/./disk.img", root.path().file_name().expect("named").display()), &link)
        .expect("linked");
    claim(&link, GUEST, false).expect("claimed");
    assert_eq!(owner(&path), GUEST);
    // A file that was put in the place of the guest's is not given away either.
    assert!(!release(&secret, Some(GUEST.uid), Some(GUEST), true).expect("left alone"));
    assert_eq!(owner(&secret), before);
}

#[test]
fn owners_are_written_as_libvirt_writes_them() {
    assert_eq!(GUEST.to_text(), "+64055:+64055");
    assert_eq!(Owner::from_text("+1234:+567"), Some(Owner { uid: 1234, gid: 567 }));
    for bad in ["", "+1", "+1:", "a:b", "+-1:+2"] {
        assert_eq!(Owner::from_text(bad), None, "{bad}");
    }
}
