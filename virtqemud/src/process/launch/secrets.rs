//! Values of the secrets a guest's images are opened with, asked of whoever keeps secrets.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use virtbus_api::storage::{SecretValue, Secrets};
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;

use crate::device::secret::{SecretUse, Wanted, wanted};

/// The keeper of secrets, once there is one.
#[derive(Default)]
pub(crate) struct Keeper(OnceLock<Arc<dyn Secrets>>);

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keeper").field(&self.0.get().is_some()).finish()
    }
}

impl Keeper {
    /// Asks `secrets` from now on; the first one stays.
    pub(crate) fn ask(&self, secrets: Arc<dyn Secrets>) {
        let _ = self.0.set(secrets);
    }

    /// The values a document needs. What is not known is left out: whoever needs it says so.
    ///
    /// # Errors
    /// `INVALID_ARG` for a secret of another use than the document's; what the keeper says of a value it has not.
    pub(super) fn values(&self, domain: &Domain) -> Result<HashMap<Wanted, SecretValue>> {
        let mut values = HashMap::new();
        let Some(keeper) = self.0.get() else { return Ok(values) };
        for (wanted, kind) in wanted(domain) {
            let found = match &wanted {
                Wanted::Uuid(uuid) => keeper.lookup_secret(*uuid),
                Wanted::Usage(kind, usage) => keeper.lookup_secret_by_usage(kind.number(), usage),
            };
            let found = match found {
                Ok(found) => found,
                Err(error) if error.code == ErrorCode::NoSecret => continue,
                Err(error) => return Err(error),
            };
            if found.usage_type != kind.number() {
                return Err(Error::invalid_arg(format!(
                    "secret with uuid {} is of another type than the '{}' that is expected",
                    found.uuid,
                    name(kind)
                )));
            }
            values.insert(wanted, keeper.secret_value_for_use(&found)?);
        }
        Ok(values)
    }
}

fn name(kind: SecretUse) -> &'static str {
    match kind {
        SecretUse::Volume => "volume",
        SecretUse::Ceph => "ceph",
        SecretUse::Iscsi => "iscsi",
    }
}
