//! What the parts of a volume say about each other and what its pool's kind allows. Each rule was observed on the
//! reference; none needs the host.

use virtbus_xml::{Error, ErrorKind, Node};

use super::{FormatName, StorageVolume, VolumeBacking, VolumeFeatures, VolumeTarget};
use crate::storage_pool::PoolKind;

type Checked = Result<(), Error>;

/// Whether a new volume has to say its capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityNeed {
    /// Always.
    Required,
    /// Unless it is based on another image, whose capacity it takes over.
    UnlessBacked,
    /// Never: it takes over that of the volume it is made from.
    Optional,
}

impl StorageVolume {
    /// What is said first when nothing else is right either.
    pub(super) fn check_name(node: Node<'_>) -> Checked {
        if node.child("name").is_none_or(|it| it.text().is_empty()) {
            return Err(node.missing("name"));
        }
        Ok(())
    }

    /// Makes a document into the definition of a volume to be made in a pool of this kind: checks and fills in the formats,
    /// and drops what a definition has no say in (key, path, extents, times, physical size).
    ///
    /// # Errors
    /// A format that such pools do not have, a missing capacity.
    pub fn complete(&mut self, pool: PoolKind, need: CapacityNeed) -> Checked {
        let needed = match need {
            CapacityNeed::Required => true,
            CapacityNeed::UnlessBacked => self.backing_store.is_none(),
            CapacityNeed::Optional => false,
        };
        if needed && self.capacity.is_none() {
            return Err(Error::new(ErrorKind::Missing, "volume/capacity", "the capacity is missing"));
        }
        (self.key, self.source, self.physical) = (None, None, None);
        (self.target.path, self.target.timestamps) = (None, None);
        complete_format(&mut self.target.format, pool, "volume/target/format/@type")?;
        if let Some(backing) = &mut self.backing_store {
            backing.timestamps = None;
            complete_format(&mut backing.format, pool, "volume/backingStore/format/@type")?;
        }
        Ok(())
    }
}

fn complete_format(format: &mut Option<FormatName>, pool: PoolKind, place: &str) -> Checked {
    let said = format.take().filter(|_| !pool.volume_formats().is_empty());
    let Some(said) = said else {
        *format = pool.default_volume_format().map(FormatName::from);
        return Ok(());
    };
    if said.known().is_none_or(|it| !pool.takes_volume_format(it)) {
        let names: Vec<_> = pool.volume_formats().iter().map(|it| it.as_str()).filter(|it| *it != "none").collect();
        let message = format!("volumes of {pool} pools have no format \"{}\"", said.name);
        let hint = format!("expected one of {}", names.join(", "));
        return Err(Error::new(ErrorKind::Unsupported, place, message).with_hint(hint));
    }
    *format = Some(said);
    Ok(())
}

impl VolumeTarget {
    pub(super) fn complete(&mut self, node: Node<'_>) -> Checked {
        if let Some(compat) = &self.compat {
            let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
            if !compat.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor)) {
                return Err(node.error(ErrorKind::BadValue, format!("compat \"{compat}\" is not like 1.1")));
            }
        } else if self.features.is_some() {
            // The first version that has features.
            self.compat = Some("1.1".to_owned());
        }
        self.cluster_size = self.cluster_size.filter(|it| it.bytes > 0);
        Ok(())
    }
}

impl VolumeFeatures {
    pub(super) fn check_known(node: Node<'_>) -> Checked {
        let known = ["lazy_refcounts", "extended_l2", "data_file"];
        match node.elements().find(|it| !known.contains(&it.local_name())) {
            Some(stray) => {
                Err(stray.error(ErrorKind::Unsupported, format!("feature {} is not known", stray.local_name())))
            }
            None => Ok(()),
        }
    }
}

impl VolumeBacking {
    pub(super) fn has_no_path(node: Node<'_>) -> bool {
        node.child("path").is_none_or(|it| it.text().is_empty())
    }
}
