//! The definition of a network: taken, removed, started with the host, its title and metadata.

use std::sync::Arc;

use virtbus_api::{
    NetworkEventKind, NetworkLifecycle, Result,
    flags::NetworkUpdateFlags,
    metadata::{Change, Places},
};
use virtbus_schema::{FormatOptions, Network};

use super::Owner;
use crate::blocking::call;
use crate::fault;

/// A definition is kept with its secrets and without run-time state.
const AT_REST: FormatOptions = FormatOptions { secure: true, inactive: true, migratable: false, status: false };

impl Owner {
    pub(super) async fn define(&mut self, document: Box<Network>) -> Result<()> {
        self.save_definition(Arc::from(document)).await?;
        self.emit_lifecycle(NetworkLifecycle::Defined);
        Ok(())
    }

    /// Writes a definition; when this returns it is on disk.
    pub(super) async fn save_definition(&mut self, document: Arc<Network>) -> Result<()> {
        let (store, kept) = (self.shared.definitions.clone(), Arc::clone(&document));
        call(format!("definition of network '{}'", self.view.name), move || {
            store.save(&kept.name, &kept.format(AT_REST)).map_err(|it| fault::of_store(&it))
        })
        .await?;
        self.view.definition = Some(document);
        Ok(())
    }

    pub(super) async fn undefine(&mut self) -> Result<()> {
        let Some(definition) = self.view.definition.clone() else {
            return Err(fault::invalid("can't undefine transient network"));
        };
        let (store, name) = (self.shared.definitions.clone(), self.view.name.to_string());
        call(format!("definition of network '{name}'"), move || store.delete(&name).map_err(|it| fault::of_store(&it)))
            .await?;
        if self.view.live.is_none() {
            self.forget_server(&definition).await;
        }
        self.view.definition = None;
        self.view.autostart = false;
        self.emit_lifecycle(NetworkLifecycle::Undefined);
        Ok(())
    }

    pub(super) async fn set_autostart(&mut self, autostart: bool) -> Result<()> {
        if self.view.definition.is_none() {
            return Err(fault::invalid("cannot set autostart for transient network"));
        }
        let (store, name) = (self.shared.definitions.clone(), self.view.name.to_string());
        call(format!("autostart of network '{name}'"), move || {
            store.set_autostart(&name, autostart).map_err(|it| fault::of_store(&it))
        })
        .await?;
        self.view.autostart = autostart;
        self.emit(NetworkEventKind::AutostartChange);
        Ok(())
    }

    pub(super) async fn set_metadata(&mut self, change: &Change, impact: NetworkUpdateFlags) -> Result<()> {
        let impact = self.view.explicit(impact)?;
        if let (true, Some(live)) = (impact.contains(NetworkUpdateFlags::LIVE), &self.view.live) {
            self.view.live = Some(live.with_document(changed(&live.document, change)));
            self.save_status().await?;
        }
        if let (true, Some(definition)) = (impact.contains(NetworkUpdateFlags::CONFIG), &self.view.definition) {
            self.save_definition(changed(definition, change)).await?;
        }
        let (kind, uri) = change.told();
        self.emit(NetworkEventKind::MetadataChange { kind, uri });
        Ok(())
    }
}

fn changed(document: &Network, change: &Change) -> Arc<Network> {
    let mut document = document.clone();
    let Network { title, description, metadata, .. } = &mut document;
    change.apply(Places { title, description, metadata });
    Arc::new(document)
}
