//! `org.libvirt.Secret`: one secret. Method names and types are libvirt-dbus 1.4.1's.
//!
//! A private secret's value is given to nobody here; daemons of ours ask for it elsewhere ([`crate::neighbour`]).

use std::sync::Arc;

use virtbus_api::{SecretRef, StorageDriver, document, flags::SecretFilter, storage::SecretValue};
use zbus::{message::Header, object_server::SignalEmitter};

use crate::{
    error::Result,
    front::Cx,
    objects::{Folder, Kind, One, Served},
    params::no_flags,
    paths,
};

/// One secret.
pub type Secret = One<dyn StorageDriver, SecretRef>;

/// All secrets.
pub(crate) fn kind(cx: &Arc<Cx<dyn StorageDriver>>) -> Box<dyn Kind> {
    Box::new(Folder {
        cx: cx.clone(),
        folder: paths::SECRETS,
        list: |driver| driver.secrets(SecretFilter::empty()),
        name: |it: &SecretRef| paths::uuid_name(it.uuid),
        find: |driver, name| Some(driver.lookup_secret(paths::uuid_of(name)?)),
        served: Served::of,
    })
}

#[zbus::interface(name = "org.libvirt.Secret")]
impl Secret {
    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.it.uuid.hyphenated().to_string()
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UsageID")]
    async fn usage_id(&self) -> String {
        self.it.usage_id.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn usage_type(&self) -> i32 {
        self.it.usage_type
    }

    #[zbus(out_args("value"))]
    async fn get_value(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<Vec<u8>> {
        self.check(&header, "secret:read_secure").await?;
        no_flags(flags, "virSecretGetValue")?;
        Ok(self.cx.driver.secret_value(&self.it)?.expose().to_vec())
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        no_flags(flags, "virSecretGetXMLDesc")?;
        Ok(document::format_secret(&*self.cx.driver.secret_xml(&self.it)?))
    }

    async fn set_value(&self, value: Vec<u8>, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let value = SecretValue::new(value);
        self.check(&header, "secret:write").await?;
        no_flags(flags, "virSecretSetValue")?;
        Ok(self.cx.driver.set_secret_value(&self.it, value).await?)
    }

    async fn undefine(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "secret:delete").await?;
        Ok(self.cx.driver.undefine_secret(&self.it).await?)
    }

    /// The value was set.
    #[zbus(signal)]
    pub(crate) async fn value_changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}
