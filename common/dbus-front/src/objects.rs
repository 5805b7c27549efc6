//! Which objects a front has: computed from the engine's lists, never registered.
//!
//! An object is its name in its folder and nothing else, so 5,000 definitions cost neither memory nor start-up time
//! here, and there is no registry to fall behind the engine. What the objects do is known to their interfaces.

use std::sync::Arc;

use zbus::{OwnedObjectPath, message::Header, names::InterfaceName, object_server::Interface};

use crate::{error::Result, front::Cx, paths};

/// An interface of an object. One with much to do is made of several parts, each in a file of its own; callers see one.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) name: InterfaceName<'static>,
    pub(crate) parts: Vec<Arc<dyn Interface>>,
}

impl Served {
    pub(crate) fn of<I: Interface>(part: I) -> Self {
        Self { name: I::name(), parts: vec![Arc::new(part)] }
    }

    /// The same interface with another part behind it.
    pub(crate) fn and<I: Interface>(mut self, part: I) -> Self {
        debug_assert_eq!(self.name, I::name(), "a part of another interface");
        self.parts.push(Arc::new(part));
        self
    }

    /// Describes the interface as one, whatever it is made of.
    pub(crate) fn introspect_to(&self, xml: &mut String, level: usize) {
        let last = self.parts.len().saturating_sub(1);
        for (index, part) in self.parts.iter().enumerate() {
            let mut text = String::new();
            part.introspect_to_writer(&mut text, level);
            // The first line opens the interface and the last one closes it.
            let body = if index == 0 { text.as_str() } else { text.split_once('\n').map_or("", |it| it.1) };
            let end = if index == last { body.len() } else { body.trim_end().rfind('\n').map_or(0, |it| it + 1) };
            xml.push_str(body.get(..end).unwrap_or_default());
        }
    }
}

/// One thing that the engine knows, as an object: it holds no state but how the thing is called.
pub struct One<D: ?Sized, R> {
    pub(crate) cx: Arc<Cx<D>>,
    /// How the engine calls it; looked up at the call.
    pub(crate) it: R,
}

impl<D: ?Sized, R: Clone> Clone for One<D, R> {
    fn clone(&self) -> Self {
        Self { cx: self.cx.clone(), it: self.it.clone() }
    }
}

impl<D: ?Sized, R: std::fmt::Debug> std::fmt::Debug for One<D, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("One").field(&self.it).finish()
    }
}

impl<D: ?Sized, R> One<D, R> {
    /// Refuses a caller who lacks the right.
    pub(crate) async fn check(&self, header: &Header<'_>, right: &str) -> Result<()> {
        self.cx.access.check(header, right).await
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

/// All things of a kind, as the engine lists them.
pub(crate) struct Folder<D: ?Sized, R> {
    pub(crate) cx: Arc<Cx<D>>,
    /// The path element below the root.
    pub(crate) folder: &'static str,
    /// All there are.
    pub(crate) list: fn(&D) -> Vec<R>,
    /// The last path element of one.
    pub(crate) name: fn(&R) -> String,
    /// The one with this last path element; `None` as [`Kind::find`] has it.
    pub(crate) find: fn(&D, &str) -> Option<virtbus_api::Result<R>>,
    /// What one of them does.
    pub(crate) served: fn(One<D, R>) -> Served,
}

impl<D, R> Kind for Folder<D, R>
where
    D: ?Sized + Send + Sync,
{
    fn folder(&self) -> &'static str {
        self.folder
    }

    fn names(&self) -> Vec<String> {
        (self.list)(&self.cx.driver).iter().map(self.name).collect()
    }

    fn find(&self, name: &str) -> Option<Result<Served>> {
        let found = (self.find)(&self.cx.driver, name)?;
        Some(found.map(|it| (self.served)(One { cx: self.cx.clone(), it })).map_err(Into::into))
    }
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
