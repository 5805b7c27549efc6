//! `org.libvirt.Secret`: one secret. Method names and types are libvirt-dbus 1.4.1's.
//!
//! A private secret's value is given to nobody here; daemons of ours ask for it elsewhere ([`crate::neighbour`]).

use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{SecretRef, StorageDriver, document, flags::SecretFilter, storage::SecretValue};
use zbus::{message::Header, object_server::SignalEmitter};

use crate::{
    error::Result,
    front::Cx,
    objects::{Kind, Served},
    params::no_flags,
    paths,
};

/// The object of one secret; it holds no state but the UUID.
#[derive(Debug)]
pub struct Secret {
    cx: Arc<Cx<dyn StorageDriver>>,
    uuid: Uuid,
}

/// All secrets.
struct Secrets(Arc<Cx<dyn StorageDriver>>);

/// All secrets.
pub(crate) fn kind(cx: &Arc<Cx<dyn StorageDriver>>) -> Box<dyn Kind> {
    Box::new(Secrets(cx.clone()))
}

impl Kind for Secrets {
    fn folder(&self) -> &'static str {
        paths::SECRETS
    }

    fn names(&self) -> Vec<String> {
        self.0.driver.secrets(SecretFilter::empty()).iter().map(|it| paths::uuid_name(it.uuid)).collect()
    }

    fn find(&self, name: &str) -> Option<Result<Served>> {
        let uuid = paths::uuid_of(name)?;
        let known = self.0.driver.lookup_secret(uuid).map_err(Into::into);
        Some(known.map(|_| Served::of(Secret { cx: self.0.clone(), uuid })))
    }
}

impl Secret {
    fn target(&self) -> SecretRef {
        SecretRef::of_uuid(self.uuid)
    }

    fn known(&self) -> Result<SecretRef> {
        Ok(self.cx.driver.lookup_secret(self.uuid)?)
    }

    async fn check(&self, header: &Header<'_>, right: &str) -> Result<()> {
        self.cx.access.check(header, right).await
    }
}

#[zbus::interface(name = "org.libvirt.Secret")]
impl Secret {
    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.uuid.hyphenated().to_string()
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UsageID")]
    async fn usage_id(&self) -> Result<String> {
        Ok(self.known()?.usage_id)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn usage_type(&self) -> Result<i32> {
        Ok(self.known()?.usage_type)
    }

    #[zbus(out_args("value"))]
    async fn get_value(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<Vec<u8>> {
        self.check(&header, "secret:read_secure").await?;
        no_flags(flags, "virSecretGetValue")?;
        Ok(self.cx.driver.secret_value(&self.target())?.expose().to_vec())
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        no_flags(flags, "virSecretGetXMLDesc")?;
        Ok(document::format_secret(&*self.cx.driver.secret_xml(&self.target())?))
    }

    async fn set_value(&self, value: Vec<u8>, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let value = SecretValue::new(value);
        self.check(&header, "secret:write").await?;
        no_flags(flags, "virSecretSetValue")?;
        Ok(self.cx.driver.set_secret_value(&self.target(), value).await?)
    }

    async fn undefine(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "secret:delete").await?;
        Ok(self.cx.driver.undefine_secret(&self.target()).await?)
    }

    /// The value was set.
    #[zbus(signal)]
    pub(crate) async fn value_changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}
