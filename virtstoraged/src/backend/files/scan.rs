//! Looking through a directory without being held up by it.
//!
//! The directory is listed first; then a thread looks at one entry after the other and reports each. When an entry does not
//! answer (a link into a dead mount), its thread is left behind and another goes on with the next one: the pool is
//! degraded. When several do not answer, or the directory itself, nothing more is tried: the pool is inaccessible.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use virtbus_api::{Result, storage::PoolState};
use virtbus_host::abandon::{self, Abandoned};
use virtbus_schema::storage_pool::{Permissions, VolumeRefresh};
use virtbus_schema::storage_vol::VolumeFormat;

use super::{Cx, figures};
use crate::backend::Found;
use crate::blocking::{self, MOMENT, Progress};
use crate::fault;
use crate::pool::view::Volumes;
use crate::volume::{Volume, describe, probe, temporary};

/// Entries that may fail to answer before all of the directory is given up.
const PATIENCE: usize = 2;

/// Looks at what is in the pool's directory.
pub(crate) async fn refresh(cx: &Cx, known: Volumes) -> Result<Found> {
    let directory = super::target(cx);
    let named = directory.display().to_string();
    let listed = directory.clone();
    let (names, figures, permissions) = blocking::look(named, move || list(&listed)).await?;
    let (volumes, state) = look_at(directory, names, known).await?;
    let volumes = as_asked(cx.pool.refresh, volumes);
    Ok(Found { state, figures, volumes, permissions: Some(permissions), ..Found::default() })
}

type Listed = (Vec<String>, crate::pool::view::Figures, Permissions);

/// The names in a directory, and what is known of the directory itself. Blocks.
fn list(directory: &Path) -> Result<Listed> {
    let failed = |error: std::io::Error| {
        let text = format!("cannot open directory '{}'", directory.display());
        virtbus_api::Error::system(text, &error)
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        // A name that is no text cannot be said to any client.
        let Ok(name) = entry.map_err(failed)?.file_name().into_string() else { continue };
        if temporary::is_temporary(&name) {
            if temporary::is_leftover(&name) {
                tracing::info!("removing '{name}' in '{}', begun by a daemon that has ended", directory.display());
                temporary::remove(&directory.join(&name));
            }
        } else if name.chars().any(|it| it < ' ' && !matches!(it, '\t' | '\n' | '\r')) {
            tracing::warn!(
                "ignoring '{}' in '{}': no document can hold its name",
                name.escape_debug(),
                directory.display()
            );
        } else {
            names.push(name);
        }
    }
    let about = std::fs::metadata(directory).map_err(fault::at("cannot stat", directory))?;
    Ok((names, figures(directory)?, describe::permissions(&about)))
}

/// What one entry is.
type Seen = (usize, Option<Arc<Volume>>);

async fn look_at(
    directory: PathBuf,
    names: Vec<String>,
    known: Volumes,
) -> Result<(BTreeMap<String, Arc<Volume>>, PoolState)> {
    let names: Arc<[String]> = names.into();
    let (mut volumes, mut silent, mut next) = (BTreeMap::new(), 0, 0);
    while next < names.len() {
        let wanted = Wanted(Progress::default());
        let mut seen = begin(&directory, &names, &known, next, &wanted.0)?;
        loop {
            match tokio::time::timeout(MOMENT, seen.recv()).await {
                Ok(Some((index, volume))) => {
                    next = index + 1;
                    volumes.extend(volume.map(|it| (it.name().to_owned(), it)));
                }
                // All done, or the thread panicked at an entry, which is then left out.
                Ok(None) if next >= names.len() => break,
                Ok(None) => {
                    next += 1;
                    break;
                }
                Err(_) => {
                    silent += 1;
                    let name = names.get(next).map_or("", String::as_str);
                    tracing::warn!("'{name}' in '{}' does not answer", directory.display());
                    if silent >= PATIENCE {
                        return Err(fault::hung(directory.display(), Abandoned::Late(MOMENT)));
                    }
                    // What was known of it is better than nothing.
                    volumes.extend(known.get(name).map(|it| (name.to_owned(), Arc::clone(it))));
                    next += 1;
                    break;
                }
            }
        }
    }
    Ok((volumes, if silent == 0 { PoolState::Running } else { PoolState::Degraded }))
}

/// Ends a scan when its refresh does.
struct Wanted(Progress);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

fn begin(
    directory: &Path,
    names: &Arc<[String]>,
    known: &Volumes,
    first: usize,
    progress: &Progress,
) -> Result<mpsc::Receiver<Seen>> {
    let (sender, receiver) = mpsc::channel(64);
    let (directory, names, known) = (directory.to_owned(), Arc::clone(names), Arc::clone(known));
    let progress = progress.clone();
    let work = move || {
        for (index, name) in names.iter().enumerate().skip(first) {
            let seen = probe::volume(&directory, name, known.get(name));
            if progress.step().is_err() || sender.blocking_send((index, seen)).is_err() {
                return;
            }
        }
    };
    abandon::start("storage scan", work).map_err(|why| fault::hung("looking at volumes", why))?;
    Ok(receiver)
}

/// `<refresh>` may ask that a volume counts as large as its capacity.
fn as_asked(asked: Option<VolumeRefresh>, mut volumes: BTreeMap<String, Arc<Volume>>) -> BTreeMap<String, Arc<Volume>> {
    use virtbus_schema::storage_pool::RefreshAllocation;
    if asked.is_some_and(|it| it.allocation == RefreshAllocation::Capacity) {
        for volume in volumes.values_mut().filter(|it| it.document.target.volume_format() == Some(VolumeFormat::Raw)) {
            let volume = Arc::make_mut(volume);
            let document = Arc::make_mut(&mut volume.document);
            document.allocation = document.capacity;
        }
    }
    volumes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(directory: &Path, known: Volumes) -> (BTreeMap<String, Arc<Volume>>, PoolState) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (names, ..) = list(directory).expect("listed");
        runtime.block_on(look_at(directory.to_owned(), names, known)).expect("looked at")
    }

    #[test]
    fn only_what_changed_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        for name in ["same", "changed", "gone"] {
            std::fs::write(file(name), name).expect("written");
        }
        let (first, state) = scan(directory.path(), Volumes::default());
        assert_eq!(state, PoolState::Running);
        assert_eq!(first.keys().collect::<Vec<_>>(), ["changed", "gone", "same"]);
        std::fs::write(file("changed"), "longer than before").expect("written");
        std::fs::remove_file(file("gone")).expect("removed");
        let (second, _) = scan(directory.path(), Arc::new(first.clone()));
        assert!(Arc::ptr_eq(&first["same"], &second["same"]));
        assert!(!Arc::ptr_eq(&first["changed"], &second["changed"]));
        assert_eq!(second["changed"].capacity(), 18);
        assert!(!second.contains_key("gone"));
    }

    #[test]
    fn what_is_no_volume_is_passed_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        nix::unistd::mkfifo(&file("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
        let _socket = std::os::unix::net::UnixListener::bind(file("socket")).expect("bound");
        std::os::unix::fs::symlink("/no/where", file("dangling")).expect("linked");
        std::os::unix::fs::symlink("/dev/null", file("null")).expect("linked");
        std::fs::write(file("bell\u{7}"), "x").expect("written");
        std::fs::write(file("tab\t"), "x").expect("written");
        std::fs::write(file(".hidden"), "x").expect("written");
        std::fs::create_dir(file("sub")).expect("made");
        let own = temporary::path_in(directory.path());
        std::fs::write(&own, "x").expect("written");
        let (found, _) = scan(directory.path(), Volumes::default());
        assert_eq!(found.keys().collect::<Vec<_>>(), [".hidden", "sub", "tab\t"]);
        assert_eq!(found["sub"].kind(), virtbus_api::storage::VolumeKind::Dir);
        assert!(own.exists(), "another call may be at it");
    }
}
