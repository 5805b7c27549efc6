//! Secrets in memory.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, Result, SecretEvent, SecretEventKind, SecretRef,
    flags::{SecretDefineFlags, SecretFilter},
    storage::{SecretValue, Secrets},
};
use virtbus_schema::{Secret, xml::YesNo};

use super::{Keeping, SimStorage, no_secret};
use crate::{document, passes};

fn refer(uuid: Uuid, it: &Secret) -> SecretRef {
    SecretRef { uuid, usage_type: it.usage_type(), usage_id: it.usage_id().to_owned() }
}

#[async_trait]
impl Secrets for SimStorage {
    fn secrets(&self, filter: SecretFilter) -> Vec<SecretRef> {
        use SecretFilter as F;
        let is_listed = |it: &Secret| {
            let (ephemeral, private) = (it.ephemeral == YesNo::Yes, it.private == YesNo::Yes);
            let groups: [&[(F, bool)]; 2] = [
                &[(F::EPHEMERAL, ephemeral), (F::NO_EPHEMERAL, !ephemeral)],
                &[(F::PRIVATE, private), (F::NO_PRIVATE, !private)],
            ];
            passes(&groups, |bit| filter.intersects(bit))
        };
        let table = self.table();
        let listed = table.secrets.iter().filter(|(_, it)| is_listed(&it.document));
        listed.map(|(uuid, it)| refer(*uuid, &it.document)).collect()
    }

    fn lookup_secret(&self, uuid: Uuid) -> Result<SecretRef> {
        Ok(refer(uuid, &self.table().secret(uuid)?.document))
    }

    fn lookup_secret_by_usage(&self, usage_type: i32, usage_id: &str) -> Result<SecretRef> {
        let table = self.table();
        let mut all = table.secrets.iter().map(|(uuid, it)| refer(*uuid, &it.document));
        let found = all.find(|it| it.usage_type == usage_type && it.usage_id == usage_id);
        found.ok_or_else(|| no_secret(&format!("usage '{usage_id}'")))
    }

    fn secret_xml(&self, secret: &SecretRef) -> Result<Arc<Secret>> {
        Ok(self.table().secret(secret.uuid)?.document.clone())
    }

    fn secret_value(&self, secret: &SecretRef) -> Result<SecretValue> {
        if self.table().secret(secret.uuid)?.document.private == YesNo::Yes {
            return Err(Error::new(ErrorCode::InvalidSecret, "secret is private").in_domain(ErrorDomain::Secret));
        }
        self.secret_value_for_use(secret)
    }

    fn secret_value_for_use(&self, secret: &SecretRef) -> Result<SecretValue> {
        let value = self.table().secret(secret.uuid)?.value.clone();
        let unset = format!("secret '{}' does not have a value", secret.uuid);
        value.ok_or_else(|| Error::new(ErrorCode::NoSecret, unset).in_domain(ErrorDomain::Secret))
    }

    async fn define_secret(&self, mut secret: Box<Secret>, _flags: SecretDefineFlags) -> Result<SecretRef> {
        let uuid = *secret.uuid.get_or_insert_with(document::new_uuid);
        let defined = refer(uuid, &secret);
        let document = Arc::<Secret>::from(secret);
        let mut table = self.table();
        let it = table.secrets.entry(uuid).or_insert_with(|| Keeping { document: document.clone(), value: None });
        it.document = document;
        self.tell_of_secret(defined.clone(), SecretEventKind::Defined);
        Ok(defined)
    }

    async fn set_secret_value(&self, secret: &SecretRef, value: SecretValue) -> Result<()> {
        let mut table = self.table();
        let told = refer(secret.uuid, &table.secret(secret.uuid)?.document);
        if let Some(it) = table.secrets.get_mut(&secret.uuid) {
            it.value = Some(value);
        }
        self.tell_of_secret(told, SecretEventKind::ValueChanged);
        Ok(())
    }

    async fn undefine_secret(&self, secret: &SecretRef) -> Result<()> {
        let mut table = self.table();
        let told = refer(secret.uuid, &table.secret(secret.uuid)?.document);
        table.secrets.remove(&secret.uuid);
        self.tell_of_secret(told, SecretEventKind::Undefined);
        Ok(())
    }

    fn secret_events(&self) -> broadcast::Receiver<SecretEvent> {
        self.0.secret_events.subscribe()
    }
}
