//! Values of the secrets a guest's images are opened with, asked of whoever keeps secrets.

use std::collections::HashMap;

use virtbus_api::neighbour::{SecretName, StorageNeighbour};
use virtbus_api::storage::SecretValue;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;

use crate::device::secret::{SecretUse, Wanted, wanted};

/// The values a document needs. What is not known is left out: whoever needs it says so.
///
/// # Errors
/// `INVALID_ARG` for a secret of another use than the document's; what the keeper says of a value it has not.
pub(super) async fn values(keeper: &dyn StorageNeighbour, domain: &Domain) -> Result<HashMap<Wanted, SecretValue>> {
    let mut values = HashMap::new();
    for (wanted, kind) in wanted(domain) {
        let named = match &wanted {
            Wanted::Uuid(uuid) => SecretName::Uuid(*uuid),
            Wanted::Usage(kind, usage) => SecretName::Usage { usage_type: kind.number(), usage_id: usage.clone() },
        };
        let (found, value) = match keeper.secret(&named).await {
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
        values.insert(wanted, value);
    }
    Ok(values)
}

fn name(kind: SecretUse) -> &'static str {
    match kind {
        SecretUse::Volume => "volume",
        SecretUse::Ceph => "ceph",
        SecretUse::Iscsi => "iscsi",
        SecretUse::Vtpm => "vtpm",
    }
}
