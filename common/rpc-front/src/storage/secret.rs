//! Secrets. Their values pass through here, and are said to nobody but who asks for them.

use uuid::Uuid;
use virtbus_api::{
    document,
    flags::{SecretDefineFlags, SecretFilter},
    storage::SecretValue,
};
use virtbus_proto::{
    Procedure,
    table::{
        ConnectListAllSecrets, ConnectListAllSecretsReply, ConnectListSecrets, ConnectListSecretsReply,
        ConnectNumOfSecrets, ConnectNumOfSecretsReply, SecretDefineXml, SecretDefineXmlReply, SecretGetValue,
        SecretGetValueReply, SecretGetXmlDesc, SecretGetXmlDescReply, SecretLookupByUsage, SecretLookupByUsageReply,
        SecretLookupByUuid, SecretLookupByUuidReply, SecretSetValue, SecretUndefine,
    },
};

use crate::{
    Storage,
    error::Fault,
    from_wire::{self, secret},
    routes::Routes,
    to_wire,
};

/// Secrets in one answer (`REMOTE_SECRET_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Storage> {
    Routes::<Storage>::default()
        .on_view(|cx, a: ConnectListAllSecrets| {
            let found = cx.driver.secrets(from_wire::flags(&a, a.flags)?);
            let (secrets, ret) = to_wire::list(a.need_results, &found, LIST_MAX, "secrets", to_wire::secret)?;
            Ok(ConnectListAllSecretsReply { secrets, ret })
        })
        .on_view(|cx, ConnectNumOfSecrets {}| {
            Ok(ConnectNumOfSecretsReply { num: to_wire::count(cx.driver.secrets(SecretFilter::empty()).len()) })
        })
        .on_view(|cx, a: ConnectListSecrets| {
            let room = from_wire::room(a.maxuuids, "maxuuids", LIST_MAX, "REMOTE_SECRET_LIST_MAX")?;
            let uuids = cx.driver.secrets(SecretFilter::empty()).into_iter().map(|it| it.uuid.to_string());
            Ok(ConnectListSecretsReply { uuids: uuids.take(room).collect() })
        })
        .on_view(|cx, a: SecretLookupByUuid| {
            let found = cx.driver.lookup_secret(Uuid::from_bytes(a.uuid))?;
            Ok(SecretLookupByUuidReply { secret: to_wire::secret(&found) })
        })
        .on_view(|cx, a: SecretLookupByUsage| {
            let found = cx.driver.lookup_secret_by_usage(a.usage_type, &a.usage_id)?;
            Ok(SecretLookupByUsageReply { secret: to_wire::secret(&found) })
        })
        .on_view(|cx, a: SecretGetXmlDesc| {
            from_wire::no_flags(&a, a.flags)?;
            let document = cx.driver.secret_xml(&secret(&a.secret))?;
            Ok(SecretGetXmlDescReply { xml: document::format_secret(&document) })
        })
        .on_view(|cx, a: SecretGetValue| {
            from_wire::no_flags(&a, a.flags)?;
            let value = cx.driver.secret_value(&secret(&a.secret))?;
            Ok(SecretGetValueReply { value: value.expose().to_vec() })
        })
        .on(|cx, a: SecretSetValue| async move {
            let (flags, empty) = (a.flags, a.value.is_empty());
            if empty {
                let text = "value in virSecretSetValue must not be NULL";
                return Err(Fault::argument(SecretSetValue::ENTRY, "value", text.to_owned()));
            }
            from_wire::no_flags(&a, flags)?;
            let secret = secret(&a.secret);
            Ok(cx.driver.set_secret_value(&secret, SecretValue::new(a.value)).await?)
        })
        .on(|cx, a: SecretDefineXml| async move {
            let flags: SecretDefineFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_secret(&a.xml, flags.contains(SecretDefineFlags::VALIDATE))?;
            Ok(SecretDefineXmlReply { secret: to_wire::secret(&cx.driver.define_secret(document, flags).await?) })
        })
        .on(|cx, a: SecretUndefine| async move { Ok(cx.driver.undefine_secret(&secret(&a.secret)).await?) })
}
