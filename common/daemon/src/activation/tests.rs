//! Binding, adopting by name and by path, stale files.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use super::*;
use crate::paths::Mode as Layout;

fn specs(root: &Path, config: &DaemonConfig) -> Vec<Wanted> {
    let paths = Paths::new(Layout::Root(root.to_owned())).expect("known");
    wanted("virtqemud", "virtqemud", &paths, config)
}

fn passed(path: &Path, name: &str) -> Inherited {
    Inherited { name: name.to_owned(), fd: UnixListener::bind(path).expect("binds").into() }
}

#[test]
fn names_are_libvirts() {
    let wanted = specs(Path::new("/r"), &DaemonConfig::default());
    let told: Vec<_> = wanted.iter().map(|it| (it.unit.as_str(), it.path.to_str().expect("text"), it.mode)).collect();
    let expected = [
        ("virtqemud.socket", "/r/run/libvirt/virtqemud-sock", 0o600),
        ("virtqemud-ro.socket", "/r/run/libvirt/virtqemud-sock-ro", 0o666),
        ("virtqemud-admin.socket", "/r/run/libvirt/virtqemud-admin-sock", 0o600),
    ];
    assert_eq!(told, expected);
}

#[test]
fn bound_sockets_have_their_permissions_and_go_away() {
    let root = tempfile::tempdir().expect("a directory");
    let config = DaemonConfig { unix_sock_rw_perms: Some(0o770), ..DaemonConfig::default() };
    let wanted = specs(root.path(), &config);
    let listeners = listen(&wanted, Vec::new()).expect("binds");
    let mode = |at: usize| fs::metadata(&wanted[at].path).expect("exists").mode() & 0o777;
    assert_eq!((mode(0), mode(1), mode(2)), (0o770, 0o666, 0o600));
    assert!(listeners.iter().all(|it| !it.adopted));
    UnixStream::connect(&wanted[0].path).expect("answers");
    assert!(matches!(listen(&wanted, Vec::new()), Err(ListenError::InUse(_))));
    let files = BoundFiles::of(&listeners);
    drop(listeners);
    // Nobody answers now: the files are stale and are replaced.
    let again = listen(&wanted, Vec::new()).expect("binds again");
    drop(files);
    drop(again);
    assert!(!wanted[0].path.exists());
}

/// A daemon that accepts no more is there all the same, and is not waited for.
#[test]
fn a_full_backlog_is_somebody() {
    let root = tempfile::tempdir().expect("a directory");
    let wanted = specs(root.path(), &DaemonConfig::default());
    make_directory(&root.path().join("run/libvirt"), 0o755).expect("made");
    let stuck = UnixListener::bind(&wanted[0].path).expect("binds");
    net::listen(&stuck, Backlog::new(0).expect("a backlog")).expect("shortened");
    let waiting: Vec<_> = std::iter::from_fn(|| {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let client = net::socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("made");
        let address = UnixAddr::new(&wanted[0].path).expect("fits");
        net::connect(client.as_raw_fd(), &address).is_ok().then_some(client)
    })
    .collect();
    assert!(!waiting.is_empty());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(listen(&wanted, Vec::new()).map(drop)));
    let result = told.recv_timeout(std::time::Duration::from_secs(10)).expect("no waiting");
    assert!(matches!(result, Err(ListenError::InUse(_))), "{result:?}");
}

#[test]
fn something_else_is_never_removed() {
    let root = tempfile::tempdir().expect("a directory");
    let wanted = specs(root.path(), &DaemonConfig::default());
    make_directory(&root.path().join("run/libvirt"), 0o755).expect("made");
    fs::write(&wanted[0].path, "precious").expect("written");
    let error = listen(&wanted, Vec::new()).expect_err("refused").to_string();
    assert!(error.ends_with("something else than a socket is there"), "{error}");
    assert_eq!(fs::read_to_string(&wanted[0].path).expect("still there"), "precious");
}

#[test]
fn passed_sockets_are_known_by_unit_or_by_path() {
    let root = tempfile::tempdir().expect("a directory");
    let wanted = specs(root.path(), &DaemonConfig::default());
    make_directory(&root.path().join("run/libvirt"), 0o755).expect("made");
    let elsewhere = root.path().join("elsewhere");
    let descriptors = vec![
        passed(&elsewhere, "virtqemud-ro.socket"),
        passed(&wanted[0].path, "unknown"),
        passed(&root.path().join("foreign"), "foreign.socket"),
    ];
    let listeners = listen(&wanted, descriptors).expect("adopts");
    let told: Vec<_> = listeners.iter().map(|it| (it.role, it.adopted, it.path.clone())).collect();
    assert_eq!(told, [(Role::ReadOnly, true, elsewhere), (Role::ReadWrite, true, wanted[0].path.clone())]);
    drop(BoundFiles::of(&listeners));
    assert!(wanted[0].path.exists(), "the service manager's");
}

#[test]
fn an_unknown_group_is_said() {
    let root = tempfile::tempdir().expect("a directory");
    let config = DaemonConfig { unix_sock_group: Some("no such group".to_owned()), ..DaemonConfig::default() };
    let error = listen(&specs(root.path(), &config), Vec::new()).expect_err("refused");
    assert_eq!(error.to_string(), "there is no group \"no such group\" for the sockets");
}
