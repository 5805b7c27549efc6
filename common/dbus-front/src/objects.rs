//! Which objects a front has: computed from the engine's lists, never registered.
//!
//! An object is its name in its folder and nothing else, so 5,000 definitions cost neither memory nor start-up time
//! here, and there is no registry to fall behind the engine. What the objects do is known to their interfaces.

use std::sync::Arc;

use zbus::{OwnedObjectPath, names::InterfaceName, object_server::Interface};

use crate::{error::Result, paths};

/// An interface of an object.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) name: InterfaceName<'static>,
    pub(crate) interface: Arc<dyn Interface>,
}

impl Served {
    pub(crate) fn of<I: Interface>(interface: I) -> Self {
        Self { name: I::name(), interface: Arc::new(interface) }
    }
}

/// A kind of objects: domains, pools, ports.
pub(crate) trait Kind: Send + Sync {
    /// The path element below the root that the objects are in.
    fn folder(&self) -> &'static str;

    /// The last path elements of all objects of this kind.
    fn names(&self) -> Vec<String>;

    /// The object with this last path element. `None` where no object of this kind could have it; libvirt's error where
    /// the engine does not know it, as clients of libvirt-dbus expect.
    fn find(&self, name: &str) -> Option<Result<Served>>;
}

/// All objects of a front.
pub(crate) struct Objects {
    /// The interfaces of the root.
    pub(crate) root: Vec<Served>,
    /// The kinds of objects below it.
    pub(crate) kinds: Vec<Box<dyn Kind>>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.kinds.iter().map(|it| it.folder())).finish()
    }
}

/// What a path names.
pub(crate) enum Object<'o> {
    /// Above the root: only this child.
    Branch(&'static str),
    /// The root.
    Root,
    /// The parent of the objects of a kind.
    Folder(&'o dyn Kind),
    /// An object that the engine knows.
    One(Served),
}

impl Objects {
    /// What the path names; `None` where it cannot name anything.
    pub(crate) fn at(&self, path: &str) -> Option<Result<Object<'_>>> {
        match path {
            "/" => return Some(Ok(Object::Branch("org"))),
            "/org" => return Some(Ok(Object::Branch("libvirt"))),
            "/org/libvirt" => return Some(Ok(Object::Branch("QEMU"))),
            paths::ROOT => return Some(Ok(Object::Root)),
            _ => {}
        }
        let below = path.strip_prefix(paths::ROOT)?.strip_prefix('/')?;
        let (folder, name) = below.split_once('/').map_or((below, None), |(folder, name)| (folder, Some(name)));
        let kind = self.kinds.iter().find(|it| it.folder() == folder)?;
        match name {
            None => Some(Ok(Object::Folder(kind.as_ref()))),
            Some(name) => kind.find(name).map(|it| it.map(Object::One)),
        }
    }

    /// The object at this path, if it is there.
    pub(crate) fn one(&self, path: &str) -> Option<Served> {
        match self.at(path)? {
            Ok(Object::One(it)) => Some(it),
            _ => None,
        }
    }

    /// All paths with their objects; what goes meanwhile is left out.
    pub(crate) fn all(&self) -> impl Iterator<Item = (OwnedObjectPath, Served)> + '_ {
        self.kinds.iter().flat_map(|kind| {
            kind.names().into_iter().filter_map(|name| {
                let served = kind.find(&name)?.ok()?;
                Some((paths::below(kind.folder(), &name), served))
            })
        })
    }
}
