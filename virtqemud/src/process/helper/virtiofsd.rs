//! `virtiofsd`, which serves one directory to a guest over a socket it is given open.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::process::Spawn;
use virtbus_schema::domain::IdMap;
use virtbus_schema::domain::device::filesystem::{
    Filesystem, FilesystemSource, VirtiofsBinary, VirtiofsCache, VirtiofsLock, VirtiofsSandbox,
};

use super::{Plan, Serves};
use crate::config::User;

/// Where packages describe their vhost-user programs, the administrator's own first.
const DESCRIBED: &[&str] = &["/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user"];

#[derive(Deserialize)]
struct Description {
    #[serde(rename = "type")]
    kind: String,
    binary: PathBuf,
}

/// The program that serves a file system: the document's, else the first that is described on this host.
///
/// # Errors
/// `OPERATION_FAILED` when none is described, `INTERNAL_ERROR` when the document's is not there.
pub(crate) fn program(it: &Filesystem) -> Result<PathBuf> {
    if let Some(path) = it.binary.as_ref().and_then(|it| it.path.as_ref()) {
        let path = PathBuf::from(path);
        let absent = || Error::internal(format!("cannot execute binary {}", path.display()));
        return if path.exists() { Ok(path) } else { Err(absent()) };
    }
    let none = || Error::new(ErrorCode::OperationFailed, "Unable to find a satisfying virtiofsd");
    described("fs").ok_or_else(none)
}

/// The first vhost-user program of a kind (`fs`, `gpu`) that is described on this host.
pub(crate) fn described(kind: &str) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in DESCRIBED {
        let found = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|it| it.path());
        let mut found: Vec<PathBuf> = found.filter(|it| it.extension().is_some_and(|it| it == "json")).collect();
        // What an administrator has written stands for the package's file of the same name.
        found.retain(|it| !files.iter().any(|known| known.file_name() == it.file_name()));
        files.append(&mut found);
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    let read = |path: &PathBuf| serde_json::from_slice::<Description>(&std::fs::read(path).ok()?).ok();
    files.iter().filter_map(read).find(|it| it.kind == kind && it.binary.exists()).map(|it| it.binary)
}

/// Where its pid is kept.
pub(crate) fn pid_file(home: &Path, alias: &str) -> PathBuf {
    home.join(format!("{alias}-fs.pid"))
}

/// What is to be run for a file system; none for one that somebody else serves. Opens its socket.
///
/// # Errors
/// As [`program`]; the socket cannot be made.
pub(crate) fn plan(it: &Filesystem, alias: &str, home: &Path, user: Option<&User>) -> Result<Option<Plan>> {
    let Some(FilesystemSource { dir: Some(directory), socket: None, .. }) = &it.source else { return Ok(None) };
    let binary = program(it)?;
    let socket = crate::device::filesystem::socket(home, alias);
    let cannot = |error: std::io::Error| Error::system(format!("cannot listen on '{}'", socket.display()), &error);
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&socket).map_err(cannot)?;
    crate::security::own(&socket, user).map_err(cannot)?;
    let mut spawn = Spawn::new(binary);
    let fd = spawn.pass(listener.into());
    spawn = spawn.arg(format!("--fd={fd}")).arg("-o").arg(options(it, directory));
    let none = VirtiofsBinary::default();
    let VirtiofsBinary { path: _, xattr: _, cache: _, sandbox: _, lock: _, thread_pool, openfiles } =
        it.binary.as_ref().unwrap_or(&none);
    if let Some(size) = thread_pool {
        spawn = spawn.arg(format!("--thread-pool-size={size}"));
    }
    if let Some(most) = openfiles {
        spawn = spawn.arg(format!("--rlimit-nofile={most}"));
    }
    if it.readonly {
        spawn = spawn.arg("--readonly");
    }
    if let Some(IdMap { uids, gids }) = &it.idmap {
        for (option, ranges) in [("--uid-map", uids), ("--gid-map", gids)] {
            for range in ranges {
                spawn = spawn.arg(format!("{option}=:{}:{}:{}:", range.start, range.target, range.count));
            }
        }
    }
    Ok(Some(Plan {
        name: format!("virtiofsd of {alias}"),
        serves: Serves::Filesystem(alias.to_owned()),
        first: Vec::new(),
        spawn,
        socket: None,
        user: None,
        pid_file: pid_file(home, alias),
        files: vec![socket],
    }))
}

fn options(it: &Filesystem, directory: &str) -> String {
    let none = VirtiofsBinary::default();
    let VirtiofsBinary { path: _, xattr, cache, sandbox, lock, thread_pool: _, openfiles: _ } =
        it.binary.as_ref().unwrap_or(&none);
    let mut text = format!("source={}", directory.replace(',', ",,"));
    if let Some(cache) = cache {
        text.push_str(if *cache == VirtiofsCache::Always { ",cache=always" } else { ",cache=never" });
    }
    if let Some(sandbox) = sandbox {
        text.push_str(if *sandbox == VirtiofsSandbox::Chroot { ",sandbox=chroot" } else { ",sandbox=namespace" });
    }
    let flag = |text: &mut String, on: Option<bool>, name: &str| match on {
        Some(true) => text.extend([",", name]),
        Some(false) => text.extend([",no_", name]),
        None => {}
    };
    flag(&mut text, xattr.map(|it| it.is_on()), "xattr");
    let VirtiofsLock { posix, flock } = lock.unwrap_or_default();
    flag(&mut text, flock.map(|it| it.is_on()), "flock");
    flag(&mut text, posix.map(|it| it.is_on()), "posix_lock");
    text
}
