//! Definitions `NAME.xml` in one directory, with links in `autostart/` for those that start with the host.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use crate::atomic::{self, Durability, sync_parent};
use crate::{Error, Result, header, text_of};

/// The definitions of one kind of object.
#[derive(Debug, Clone)]
pub struct Definitions {
    directory: PathBuf,
    autostart: PathBuf,
    edit: &'static str,
    durability: Durability,
}

/// A definition that was read.
#[derive(Debug)]
pub struct Definition<T> {
    /// The name: the file's without `.xml`.
    pub name: String,
    /// What the parser made of it.
    pub document: T,
    /// Whether it starts with the host.
    pub autostart: bool,
    /// Whether it starts with the host the next time, and only then.
    pub autostart_once: bool,
    /// When the file was last written.
    pub written: SystemTime,
}

/// A file that could not be understood. It stays where it is.
#[derive(Debug)]
pub struct Broken {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// All that a directory holds.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What could be read, in order of name.
    pub definitions: Vec<Definition<T>>,
    /// What could not.
    pub broken: Vec<Broken>,
}

impl Definitions {
    /// The definitions below `directory`; `edit` is the command that a file's opening comment points to (`virsh edit`).
    pub fn new(directory: impl Into<PathBuf>, edit: &'static str) -> Self {
        let directory = directory.into();
        Self { autostart: directory.join("autostart"), directory, edit, durability: Durability::Host }
    }

    /// As [`Definitions::new`] for the status files of running objects: documents below /run, which no boot sees again.
    pub fn of_this_boot(directory: impl Into<PathBuf>, edit: &'static str) -> Self {
        Self { durability: Durability::Process, ..Self::new(directory, edit) }
    }

    /// Where the definition of `name` lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.xml"))
    }

    fn link(&self, name: &str) -> PathBuf {
        self.autostart.join(format!("{name}.xml"))
    }

    /// Writes a definition, `xml` being the document alone. When this returns it survives a crash of the host.
    ///
    /// # Errors
    /// When it cannot be written; an older definition is untouched then.
    pub fn save(&self, name: &str, xml: &str) -> Result<()> {
        let mut text = header(self.edit, name);
        text.push_str(xml);
        let path = self.path(name);
        match atomic::replace(&path, text.as_bytes(), self.durability) {
            // The first definition of all makes the directory; asking beforehand would cost every other one.
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.directory).map_err(Error::at("create", &self.directory))?;
                atomic::replace(&path, text.as_bytes(), self.durability)
            }
            other => other,
        }
    }

    /// Removes the definition and its autostart link.
    ///
    /// # Errors
    /// When one of them is still there.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.set_autostart_once(name, false)?;
        // The link first: one that leads nowhere is worse than a definition without it.
        self.set_autostart(name, false)?;
        atomic::remove(&self.path(name), self.durability)
    }

    /// Gives a definition another name; `xml` already has it. A crash in between leaves both files, of which
    /// the newer one counts.
    ///
    /// # Errors
    /// When the new file cannot be written (the old one is untouched) or the old one not removed.
    pub fn rename(&self, old: &str, new: &str, xml: &str) -> Result<()> {
        let autostart = self.is_autostart(old);
        let once = self.is_linked(&self.once(old), old);
        self.save(new, xml)?;
        if once {
            self.set_autostart_once(new, true)?;
        }
        if autostart {
            self.set_autostart(new, true)?;
        }
        self.delete(old)
    }

    /// Whether an autostart link leads to the definition of `name`.
    pub fn is_autostart(&self, name: &str) -> bool {
        self.is_linked(&self.link(name), name)
    }

    fn is_linked(&self, link: &Path, name: &str) -> bool {
        fs::read_link(link).is_ok_and(|target| target == self.path(name))
    }

    /// libvirt's name of the link of a domain that starts with the host once.
    fn once(&self, name: &str) -> PathBuf {
        self.autostart.join(format!("{name}.xml.once"))
    }

    /// Makes or removes the autostart link.
    ///
    /// # Errors
    /// When it cannot be made or removed.
    pub fn set_autostart(&self, name: &str, autostart: bool) -> Result<()> {
        self.set_link(&self.link(name), name, autostart)
    }

    /// As [`Definitions::set_autostart`] for a single start.
    ///
    /// # Errors
    /// When the link cannot be made or removed.
    pub fn set_autostart_once(&self, name: &str, autostart: bool) -> Result<()> {
        self.set_link(&self.once(name), name, autostart)
    }

    fn set_link(&self, link: &Path, name: &str, autostart: bool) -> Result<()> {
        if !autostart {
            return atomic::remove(link, Durability::Host);
        }
        if self.is_linked(link, name) {
            return Ok(());
        }
        fs::create_dir_all(&self.autostart).map_err(Error::at("create", &self.autostart))?;
        // A link to somewhere else, from an older layout, gives way.
        atomic::remove(link, Durability::Process)?;
        symlink(self.path(name), link).map_err(Error::at("link", link))?;
        sync_parent(link, Durability::Host).map_err(Error::at("link", link))
    }

    /// Reads every definition, on as many threads as there are processors. `parse` gets the text and says what is wrong
    /// with it; a document whose name is not the file's is broken too, so `parse` returns the name it found.
    ///
    /// # Errors
    /// When the directory exists and cannot be listed. A single file never fails the whole.
    pub fn load<T, E>(&self, parse: impl Fn(&str) -> std::result::Result<(String, T), E> + Sync) -> Result<Loaded<T>>
    where
        T: Send,
        E: fmt::Display,
    {
        let names = self.names()?;
        let linked = self.linked();
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(names.len() / 16 + 1);
        let work = || {
            let mut found = Vec::new();
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.push(self.read(name, &linked, &parse));
            }
            found
        };
        let mut loaded = Loaded { definitions: Vec::with_capacity(names.len()), broken: Vec::new() };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut found = work();
            for other in others {
                found.extend(other.join().unwrap_or_default());
            }
            for result in found {
                match result {
                    Ok(definition) => loaded.definitions.push(definition),
                    Err(broken) => loaded.broken.push(broken),
                }
            }
        });
        loaded.definitions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(loaded)
    }

    fn read<T, E: fmt::Display>(
        &self,
        name: &str,
        linked: &Linked,
        parse: &impl Fn(&str) -> std::result::Result<(String, T), E>,
    ) -> std::result::Result<Definition<T>, Broken> {
        let path = self.path(name);
        let broken = |reason: String| Broken { path: path.clone(), reason };
        let (text, written) = text_of(&path).map_err(|error| broken(error.to_string()))?;
        // A parser that panics has found a fault in itself, and holds nothing that it could leave half done.
        let parsed = catch_unwind(AssertUnwindSafe(|| parse(&text)));
        let parsed = parsed.map_err(|_| broken("reading it failed unexpectedly".to_owned()))?;
        let (said, document) = parsed.map_err(|error| broken(error.to_string()))?;
        if said != name {
            return Err(broken(format!("it defines '{said}', which its file name does not say")));
        }
        let (autostart, autostart_once) = (linked.always.contains(name), linked.once.contains(name));
        Ok(Definition { name: said, document, autostart, autostart_once, written })
    }

    fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Error::at("list", &self.directory))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::at("list", &self.directory))?;
            if let Some(name) = name_of(&entry.path())
                && entry.file_type().is_ok_and(|it| !it.is_dir())
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn linked(&self) -> Linked {
        let mut linked = Linked::default();
        for path in fs::read_dir(&self.autostart).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let (names, plain) = match path.extension() {
                Some(once) if once == "once" => (&mut linked.once, path.with_extension("")),
                _ => (&mut linked.always, path.clone()),
            };
            names.extend(name_of(&plain).filter(|name| self.is_linked(&path, name)));
        }
        linked
    }
}

/// The names that have links.
#[derive(Debug, Default)]
struct Linked {
    always: BTreeSet<String>,
    once: BTreeSet<String>,
}

/// `NAME` of `.../NAME.xml`; `None` for other files and names that are no text. A name may begin with a dot.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".xml")?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<(String, usize), String> {
        let name = text.split_once("<name>").and_then(|(_, rest)| rest.split_once("</name>"));
        name.map(|(name, _)| (name.to_owned(), text.len())).ok_or_else(|| "no name".to_owned())
    }

    fn store() -> (tempfile::TempDir, Definitions) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Definitions::new(dir.path().join("qemu"), "virsh edit");
        (dir, store)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_dir, store) = store();
        assert!(store.load(parse).expect("an empty store").definitions.is_empty());
        for number in 0..100 {
            store.save(&format!("vm{number:02}"), &format!("<name>vm{number:02}</name>")).expect("saved");
        }
        store.set_autostart("vm07", true).expect("linked");
        store.set_autostart("vm07", true).expect("linked already");
        store.set_autostart_once("vm08", true).expect("linked");
        fs::write(store.path("junk"), "not xml").expect("written");
        fs::write(store.path("other"), "<name>vm01</name>").expect("written");
        fs::write(store.path("vm03").with_extension("xml.new"), "half").expect("written");
        let loaded = store.load(parse).expect("loads");
        assert_eq!(loaded.definitions.len(), 100);
        assert!(loaded.definitions.iter().all(|it| it.autostart == (it.name == "vm07")));
        assert!(loaded.definitions.iter().all(|it| it.autostart_once == (it.name == "vm08")));
        assert!(loaded.definitions.is_sorted_by_key(|it| it.name.clone()));
        let mut broken: Vec<_> = loaded.broken.iter().map(|it| it.path.clone()).collect();
        broken.sort();
        assert_eq!(broken, [store.path("junk"), store.path("other")]);
        let text = fs::read_to_string(store.path("vm00")).expect("read");
        assert!(text.starts_with("<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE."), "{text}");
        assert!(text.contains("virsh edit vm00"), "{text}");
    }

    #[test]
    fn renaming_takes_the_link_along_and_deleting_leaves_nothing() {
        let (_dir, store) = store();
        store.save("a", "<name>a</name>").expect("saved");
        store.set_autostart("a", true).expect("linked");
        store.rename("a", "b", "<name>b</name>").expect("renamed");
        assert!(!store.path("a").exists() && !store.is_autostart("a"));
        assert!(store.is_autostart("b"));
        assert_eq!(fs::read_link(store.link("b")).expect("a link"), store.path("b"));
        store.delete("b").expect("deleted");
        assert!(store.load(parse).expect("loads").definitions.is_empty());
        assert!(!store.link("b").is_symlink());
    }

    #[test]
    fn odd_names_are_found_again() {
        let (_dir, store) = store();
        let longest = "x".repeat(247);
        for name in [".", "..", ".hidden", "...", "a b", "é", longest.as_str()] {
            store.save(name, &format!("<name>{name}</name>")).expect(name);
            store.set_autostart(name, true).expect(name);
            let loaded = store.load(parse).expect("loads");
            let found = loaded.definitions.iter().find(|it| it.name == name).expect(name);
            assert!(found.autostart && loaded.broken.is_empty(), "{name}");
            store.delete(name).expect(name);
        }
    }

    #[test]
    fn what_is_no_document_holds_nobody_up() {
        let (_dir, store) = store();
        store.save("good", "<name>good</name>").expect("saved");
        store.save("bad", "<name>bad</name>").expect("saved");
        nix::unistd::mkfifo(&store.path("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
        symlink("/dev/zero", store.path("endless")).expect("linked");
        fs::File::create(store.path("large")).and_then(|it| it.set_len(1 << 40)).expect("made");
        let loaded = store.load(|text| {
            assert!(!text.contains("<name>bad"), "as meant");
            parse(text)
        });
        let loaded = loaded.expect("loads");
        assert_eq!(loaded.definitions.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["good"]);
        let mut broken: Vec<_> = loaded.broken.iter().filter_map(|it| name_of(&it.path)).collect();
        broken.sort();
        assert_eq!(broken, ["bad", "endless", "large", "pipe"]);
    }

    /// The opening comment may not spoil the document it stands in.
    #[test]
    fn a_file_is_well_formed_whatever_the_name() {
        for name in ["a-->b", "a---b", "-----", "a-", "--"] {
            let text = header("virsh edit", name) + "<x/>";
            let error = virtbus_schema::xml::Document::parse(&text).err();
            assert!(error.is_none(), "{name}: {error:?}");
        }
    }
}
