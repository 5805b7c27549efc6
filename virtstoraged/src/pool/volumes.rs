//! Work on single volumes. The owner reserves names and keeps volumes from being changed twice at once; the work itself is
//! the backend's, in jobs of which any number run side by side.

use std::sync::Arc;
use std::time::Duration;

use virtbus_api::{
    Error, ErrorCode, Result,
    flags::{VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
    storage::WipeAlgorithm,
};
use virtbus_schema::StorageVolume;

use super::{
    Owner, answer,
    command::{Answer, Reply},
    document::set_free_extents,
    hold::Hold,
    job::Apply,
};
use crate::backend::Room;
use crate::fault::{self, Faults as _};
use crate::volume::{Volume, no_volume_named};

/// How long a change waits for a stream that is about to end.
const MOMENT: Duration = Duration::from_millis(300);

impl Owner {
    /// Makes a volume. Of two that want one name at once, one gets it.
    pub(super) fn create_volume(
        &mut self,
        document: Box<StorageVolume>,
        source: Option<Hold>,
        flags: VolumeCreateFlags,
        reply: Reply,
    ) {
        let (backend, cx) = match self.live_backend() {
            Ok(it) => it,
            Err(error) => return answer(reply, Err(error)),
        };
        let name = document.name.clone();
        let taken = self.view.live.as_ref().is_some_and(|it| it.volumes.contains_key(&name));
        if taken || self.pending.contains(&name) {
            let exists = match source {
                // The reference's code where there is a source.
                Some(_) => Error::internal(format!("storage volume name '{name}' already in use.")),
                None => Error::new(ErrorCode::StorageVolExist, format!("'{name}'")),
            };
            return answer(reply, Err(exists.of_storage()));
        }
        self.pending.insert(name.clone());
        self.volume_jobs.add(async move {
            let made = backend.create_volume(&cx, document, source.as_ref().map(|it| &it.volume), flags).await;
            drop(source);
            let room = if made.is_ok() { backend.room(&cx).await } else { None };
            let apply: Apply = Box::new(move |owner| {
                owner.pending.remove(&name);
                let made = made.map(|volume| {
                    owner.count(0, volume.allocation());
                    owner.show_room(room);
                    owner.put(Arc::clone(&volume));
                    Answer::Volume(volume)
                });
                owner.answer(reply, made);
            });
            apply
        });
    }

    /// Deletes a volume.
    pub(super) fn delete_volume(&mut self, name: String, flags: VolumeDeleteFlags, reply: Reply) {
        self.when_free(name, move |owner, name| owner.delete_free(name, flags, reply));
    }

    /// Gives a volume another capacity.
    pub(super) fn resize_volume(&mut self, name: String, capacity: u64, flags: VolumeResizeFlags, reply: Reply) {
        self.when_free(name, move |owner, name| owner.resize_free(name, capacity, flags, reply));
    }

    /// Overwrites a volume.
    pub(super) fn wipe_volume(&mut self, name: String, algorithm: WipeAlgorithm, reply: Reply) {
        self.when_free(name, move |owner, name| owner.wipe_free(name, algorithm, reply));
    }

    /// Does `next` now, or a moment later if somebody has hold of the volume: a stream that its client has just ended may
    /// not have heard of it yet.
    fn when_free(&mut self, name: String, next: impl FnOnce(&mut Owner, &str) + Send + 'static) {
        if !self.holds.is_held(&name) {
            return next(self, &name);
        }
        self.volume_jobs.add(async move {
            tokio::time::sleep(MOMENT).await;
            let apply: Apply = Box::new(move |owner| next(owner, &name));
            apply
        });
    }

    fn delete_free(&mut self, name: &str, flags: VolumeDeleteFlags, reply: Reply) {
        let prepared = self.claim(name).and_then(|hold| Ok((hold, self.live_backend()?)));
        let (hold, (backend, cx)) = match prepared {
            Ok(it) => it,
            Err(error) => return answer(reply, Err(error)),
        };
        self.volume_jobs.add(async move {
            let deleted = backend.delete_volume(&cx, &hold.volume, flags).await;
            let room = if deleted.is_ok() { backend.room(&cx).await } else { None };
            let apply: Apply = Box::new(move |owner| {
                if deleted.is_ok() {
                    owner.count(hold.volume.allocation(), 0);
                    owner.show_room(room);
                    owner.remove(hold.volume.name());
                }
                owner.answer_done(reply, deleted);
            });
            apply
        });
    }

    fn resize_free(&mut self, name: &str, capacity: u64, flags: VolumeResizeFlags, reply: Reply) {
        let prepared = self.claim(name).and_then(|hold| {
            let wanted = new_capacity(&hold.volume, capacity, flags)?;
            let grows_by = wanted.saturating_sub(hold.volume.capacity());
            let allocates = flags.contains(VolumeResizeFlags::ALLOCATE);
            if allocates && grows_by > self.live()?.figures.available {
                return Err(fault::failed("Not enough space left in storage pool"));
            }
            Ok((hold, wanted, self.live_backend()?))
        });
        let (hold, wanted, (backend, cx)) = match prepared {
            Ok(it) => it,
            Err(error) => return answer(reply, Err(error)),
        };
        self.volume_jobs.add(async move {
            let resized = match backend.resize_volume(&cx, &hold.volume, wanted, flags).await {
                Ok(()) => backend.look(&cx, &hold.volume, Some(wanted)).await,
                Err(error) => Err(error),
            };
            changed(hold, resized, reply)
        });
    }

    fn wipe_free(&mut self, name: &str, algorithm: WipeAlgorithm, reply: Reply) {
        let prepared = self.claim(name).and_then(|hold| Ok((hold, self.live_backend()?)));
        let (hold, (backend, cx)) = match prepared {
            Ok(it) => it,
            Err(error) => return answer(reply, Err(error)),
        };
        self.volume_jobs.add(async move {
            let wiped = match backend.wipe_volume(&cx, &hold.volume, algorithm).await {
                Ok(()) => backend.probe(&cx, &hold.volume).await,
                Err(error) => Err(error),
            };
            changed(hold, wiped, reply)
        });
    }

    /// Reads the header of a volume whose content is new.
    pub(super) fn reread(&mut self, name: &str, reply: Reply) {
        let prepared = self.find(name).and_then(|volume| Ok((self.holds.take(&volume), self.live_backend()?)));
        let (hold, (backend, cx)) = match prepared {
            Ok(it) => it,
            Err(error) => return answer(reply, Err(error)),
        };
        self.volume_jobs.add(async move {
            let read = backend.probe(&cx, &hold.volume).await;
            changed(hold, read, reply)
        });
    }

    /// Keeps a volume as it is while the caller reads or writes it.
    pub(super) fn hold_volume(&mut self, name: &str, reply: Reply) {
        let held = self.find(name).map(|volume| Answer::Held(self.holds.take(&volume)));
        answer(reply, held);
    }

    /// Somebody has found a volume changed.
    pub(super) fn notice(&mut self, volume: Arc<Volume>) {
        let known = self.view.live.as_ref().and_then(|it| it.volumes.get(volume.name()));
        if known.is_some_and(|it| it.key() == volume.key()) && !self.holds.is_held(volume.name()) {
            self.put(volume);
        }
    }

    fn find(&self, name: &str) -> Result<Arc<Volume>> {
        self.live()?.volumes.get(name).cloned().ok_or_else(|| no_volume_named(name))
    }

    /// A volume to be changed, which nobody else may have hold of.
    fn claim(&mut self, name: &str) -> Result<Hold> {
        let volume = self.find(name)?;
        if self.holds.is_held(name) {
            return Err(fault::invalid(format!("volume '{name}' is still in use.")));
        }
        Ok(self.holds.take(&volume))
    }

    fn touch(&mut self, name: &str) {
        if let Some(touched) = &mut self.touched {
            touched.insert(name.to_owned());
        }
    }

    fn put(&mut self, volume: Arc<Volume>) {
        self.touch(volume.name());
        if let Some(live) = &mut self.view.live {
            Arc::make_mut(&mut live.volumes).insert(volume.name().to_owned(), volume);
            self.changed = true;
        }
    }

    fn remove(&mut self, name: &str) {
        self.touch(name);
        if let Some(live) = &mut self.view.live {
            Arc::make_mut(&mut live.volumes).remove(name);
            self.changed = true;
        }
    }

    /// What the backend has counted itself.
    fn show_room(&mut self, room: Option<Room>) {
        if let (Some(room), Some(live)) = (room, &mut self.view.live) {
            live.figures = room.figures;
            set_free_extents(&mut live.document, room.free_extents);
        }
    }

    /// So many bytes are used less and more; exact figures come with the next refresh.
    fn count(&mut self, less: u64, more: u64) {
        if let Some(live) = &mut self.view.live {
            let figures = &mut live.figures;
            figures.allocation = figures.allocation.saturating_add(more).saturating_sub(less);
            figures.available = figures.available.saturating_add(less).saturating_sub(more);
            self.changed = true;
        }
    }
}

/// What the owner does when a volume has been changed: it shows it, lets go of it, and answers.
fn changed(hold: Hold, result: Result<Arc<Volume>>, reply: Reply) -> Apply {
    Box::new(move |owner| {
        if let Ok(volume) = &result {
            owner.count(hold.volume.allocation(), volume.allocation());
            owner.put(Arc::clone(volume));
        }
        drop(hold);
        owner.answer(reply, result.map(Answer::Volume));
    })
}

/// The capacity that a resize asks for. The reference's rules and texts.
fn new_capacity(volume: &Volume, capacity: u64, flags: VolumeResizeFlags) -> Result<u64> {
    let now = volume.capacity();
    let wanted = if !flags.contains(VolumeResizeFlags::DELTA) {
        capacity
    } else if flags.contains(VolumeResizeFlags::SHRINK) {
        now.saturating_sub(capacity)
    } else {
        let too_much = || Error::new(ErrorCode::Overflow, format!("capacity {now} and {capacity} more")).of_storage();
        now.checked_add(capacity).ok_or_else(too_much)?
    };
    if wanted < volume.allocation() {
        return Err(fault::bad_argument("can't shrink capacity below existing allocation"));
    }
    if wanted < now && !flags.contains(VolumeResizeFlags::SHRINK) {
        let text = "Can't shrink capacity below current capacity unless shrink flag explicitly specified";
        return Err(fault::bad_argument(text));
    }
    Ok(wanted)
}
