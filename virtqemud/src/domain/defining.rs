//! The definition of a domain: taken, renamed, removed, changed.
//!
//! Files are written on a thread of their own, as a job that excludes only what concerns the definition: a slow disk
//! below /etc does not keep anyone from destroying the guest. Nothing is acknowledged before it is on disk.

use std::error::Error as _;
use std::sync::Arc;

use virtbus_api::{
    DomainEventKind, Error, Result,
    event::Lifecycle,
    flags::{Impact, UndefineFlags},
    hypervisor::MetadataKind,
    metadata::{Change, Places},
};
use virtbus_schema::domain::Domain;

use super::{
    Owner,
    admission::Busy,
    answer, answer_done,
    belongings::{self, Belongings},
    blocking,
    command::{Answer, Reply},
    definition::Definition,
    job::{Apply, Job},
};

impl Owner {
    /// Begins to write files; `then` gets the result in a turn of its own.
    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&virtbus_store::Definitions) -> Result<T> + Send + 'static,
        then: impl FnOnce(&mut Owner, Result<T>) + Send + 'static,
    ) {
        let definitions = self.shared.definitions.clone();
        self.writing = Some(Job::new(Busy::Guest("its definition is being written"), async move {
            let result = blocking(move || work(&definitions)).await;
            Box::new(move |owner: &mut Owner| then(owner, result)) as Apply
        }));
    }

    pub(super) fn define(&mut self, document: Box<Domain>, reply: Reply) {
        let definition = Arc::new(Definition::new(Arc::from(document)));
        self.save(definition, move |owner, result| {
            if let Ok(definition) = result {
                // A transient guest that gets a definition counts as one that had one, as in the reference.
                let anew = !owner.view.exists();
                owner.view.definition = Some(definition);
                if let Some(live) = &mut owner.view.live {
                    live.updated = true;
                }
                owner.emit_lifecycle(if anew { Lifecycle::DefinedAdded } else { Lifecycle::DefinedUpdated });
                answer_done(reply, Ok(()));
            } else {
                answer_done(reply, result.map(drop));
            }
        });
    }

    /// Writes a definition; `then` gets it back once it is on disk.
    fn save(
        &mut self,
        definition: Arc<Definition>,
        then: impl FnOnce(&mut Owner, Result<Arc<Definition>>) + Send + 'static,
    ) {
        let name = self.view.name.to_string();
        let save = move |store: &virtbus_store::Definitions| {
            store.save(&name, definition.text()).map_err(|error| to_error(&error))?;
            Ok(definition)
        };
        self.write(save, then);
    }

    pub(super) fn undefine(&mut self, flags: UndefineFlags, reply: Reply) {
        let definition = match self.view.defined() {
            Ok(definition) => definition,
            Err(error) => return answer(reply, Err(error)),
        };
        if let Err(error) = belongings::exclusive(flags) {
            return answer(reply, Err(error));
        }
        let layout = self.shared.config.layout.clone();
        let name = definition.name.clone();
        let active = self.view.live.is_some();
        let work = move |store: &virtbus_store::Definitions| {
            let belongings = Belongings::of(&layout, &definition);
            belongings.check(flags, active)?;
            store.delete(&name).map_err(|error| to_error(&error))?;
            belongings.remove(flags, active);
            Ok(())
        };
        self.write(work, move |owner, result| {
            if result.is_ok() {
                owner.view.definition = None;
                owner.view.autostart = false;
                owner.emit_lifecycle(Lifecycle::UndefinedRemoved);
            }
            answer_done(reply, result);
        });
    }

    pub(super) fn set_autostart(&mut self, autostart: bool, reply: Reply) {
        let name = self.view.name.to_string();
        let work = move |store: &virtbus_store::Definitions| {
            store.set_autostart(&name, autostart).map_err(|error| to_error(&error))
        };
        self.write(work, move |owner, result| {
            if result.is_ok() {
                owner.view.autostart = autostart;
                owner.emit(DomainEventKind::AutostartChange);
            }
            answer_done(reply, result);
        });
    }

    pub(super) fn set_autostart_once(&mut self, autostart: bool, reply: Reply) {
        let name = self.view.name.to_string();
        let work = move |store: &virtbus_store::Definitions| {
            store.set_autostart_once(&name, autostart).map_err(|error| to_error(&error))
        };
        self.write(work, move |owner, result| {
            if result.is_ok() {
                owner.view.autostart_once = autostart;
            }
            owner.changed = true;
            owner.publish();
            answer_done(reply, result);
        });
    }

    /// The registry has reserved `name`; the caller takes it back if this fails.
    pub(super) fn rename(&mut self, name: String, reply: Reply) {
        let definition = match self.view.defined() {
            Ok(definition) => definition,
            Err(error) => return answer(reply, Err(error)),
        };
        let old = definition.name.clone();
        let mut document = Domain::clone(&definition);
        document.name.clone_from(&name);
        let definition = Definition::new(Arc::new(document));
        let layout = self.shared.config.layout.clone();
        let (from, to) = (old.clone(), name.clone());
        let work = move |store: &virtbus_store::Definitions| {
            Belongings::of_name(&layout, &from).check_rename()?;
            store.rename(&from, &to, definition.text()).map_err(|error| to_error(&error))?;
            Ok(definition)
        };
        self.write(work, move |owner, result| {
            let result = result.map(|definition| {
                let was = owner.view.domain_ref();
                owner.view.name = name.as_str().into();
                owner.view.definition = Some(Arc::new(definition));
                owner.changed = true;
                owner.publish();
                owner.shared.registry.drop_name(&old);
                let kind = DomainEventKind::Lifecycle(Lifecycle::UndefinedRenamed);
                let _ = owner.shared.events.send(Arc::new(virtbus_api::DomainEvent { domain: was, kind }));
                owner.emit_lifecycle(Lifecycle::DefinedRenamed);
            });
            answer_done(reply, result);
        });
    }

    pub(super) fn set_metadata(
        &mut self,
        kind: &MetadataKind,
        value: Option<&str>,
        key: Option<&str>,
        impact: Impact,
        reply: Reply,
    ) {
        let change = match Change::new(kind, value, key) {
            Ok(change) => change,
            Err(error) => return answer(reply, Err(error)),
        };
        let (kind, uri) = change.told();
        let told = DomainEventKind::MetadataChange { kind, uri };
        if impact.contains(Impact::LIVE) {
            let Some(live) = &mut self.view.live else {
                return answer(reply, Err(Error::invalid_operation("domain is not running")));
            };
            apply(&change, Arc::make_mut(&mut live.document));
            self.changed = true;
        }
        if !impact.contains(Impact::CONFIG) {
            self.emit(told);
            return answer(reply, Ok(Answer::Done));
        }
        let mut document = match self.view.defined() {
            Ok(definition) => Domain::clone(&definition),
            Err(error) => return answer(reply, Err(error)),
        };
        apply(&change, &mut document);
        self.save(Arc::new(Definition::new(Arc::new(document))), move |owner, result| {
            let result = result.map(|definition| {
                owner.view.definition = Some(definition);
                owner.emit(told);
            });
            answer_done(reply, result);
        });
    }
}

fn apply(change: &Change, document: &mut Domain) {
    let Domain { title, description, metadata, .. } = document;
    change.apply(Places { title, description, metadata });
}

/// A failure of the store with its cause, for a log line.
pub(super) fn full(error: &virtbus_store::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A failure of the store, as clients see it.
fn to_error(error: &virtbus_store::Error) -> Error {
    Error::system(error.to_string(), &error.source)
}
