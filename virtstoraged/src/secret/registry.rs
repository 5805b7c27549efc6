//! Which secrets there are, and which may be defined: by UUID, each usage once. It knows no files.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{ErrorCode, Result, SecretRef, flags::SecretFilter, storage::SecretValue};
use virtbus_schema::Secret;
use virtbus_schema::xml::YesNo;

use super::fault;

/// A secret.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) uuid: Uuid,
    pub(super) document: Arc<Secret>,
    /// Absent until it is set.
    pub(super) value: Option<SecretValue>,
}

impl Kept {
    /// What callers know it by.
    pub(super) fn reference(&self) -> SecretRef {
        let (usage_type, usage_id) = (self.document.usage_type(), self.document.usage_id().to_owned());
        SecretRef { uuid: self.uuid, usage_type, usage_id }
    }

    /// # Errors
    /// When none is set.
    pub(super) fn into_value(self) -> Result<SecretValue> {
        let uuid = self.uuid;
        self.value.ok_or_else(|| fault(ErrorCode::NoSecret, format!("secret '{uuid}' does not have a value")))
    }
}

/// All secrets.
#[derive(Debug, Default)]
pub(super) struct Registry {
    secrets: BTreeMap<Uuid, Kept>,
}

impl Registry {
    pub(super) fn get(&self, uuid: Uuid) -> Option<Kept> {
        self.secrets.get(&uuid).cloned()
    }

    /// # Errors
    /// When there is no such secret.
    pub(super) fn find(&self, uuid: Uuid) -> Result<Kept> {
        self.get(uuid).ok_or_else(|| fault(ErrorCode::NoSecret, format!("no secret with matching uuid '{uuid}'")))
    }

    /// The secret for this use. What is for no use in particular is found by its UUID alone.
    pub(super) fn by_usage(&self, usage_type: i32, usage_id: &str) -> Option<&Kept> {
        let is = |it: &&Kept| it.document.usage_type() == usage_type && it.document.usage_id() == usage_id;
        self.secrets.values().find(is).filter(|_| usage_type != 0)
    }

    /// The secrets that pass the filter, in order of UUID.
    pub(super) fn list(&self, filter: SecretFilter) -> Vec<SecretRef> {
        let passes = |yes: SecretFilter, no: SecretFilter, is: YesNo| {
            let wanted = if is == YesNo::Yes { yes } else { no };
            !filter.intersects(yes | no) || filter.contains(wanted)
        };
        let passes = |it: &&Kept| {
            passes(SecretFilter::EPHEMERAL, SecretFilter::NO_EPHEMERAL, it.document.ephemeral)
                && passes(SecretFilter::PRIVATE, SecretFilter::NO_PRIVATE, it.document.private)
        };
        self.secrets.values().filter(passes).map(Kept::reference).collect()
    }

    /// Whether a secret with this UUID may be defined like that, anew or over the one there is.
    ///
    /// # Errors
    /// In the reference's code: when its use is another secret's, when the one there is has another use or is private
    /// and would be no more.
    pub(super) fn may_define(&self, document: &Secret, uuid: Uuid) -> Result<()> {
        if let Some(old) = self.secrets.get(&uuid) {
            if old.document.usage != document.usage {
                let usage = match &old.document.usage {
                    Some(usage) => usage.id.as_str(),
                    None => "nothing in particular",
                };
                let detail = format!("a secret with UUID {uuid} is already defined for use with {usage}");
                return Err(fault(ErrorCode::InternalError, detail));
            }
            if old.document.private == YesNo::Yes && document.private == YesNo::No {
                return Err(fault(ErrorCode::InternalError, "cannot change private flag on existing secret"));
            }
            return Ok(());
        }
        match self.by_usage(document.usage_type(), document.usage_id()) {
            None => Ok(()),
            Some(other) => {
                let (other, usage) = (other.uuid, document.usage_id());
                let detail = format!("a secret with UUID {other} already defined for use with {usage}");
                Err(fault(ErrorCode::InternalError, detail))
            }
        }
    }

    pub(super) fn put(&mut self, kept: Kept) {
        self.secrets.insert(kept.uuid, kept);
    }

    pub(super) fn remove(&mut self, uuid: Uuid) {
        self.secrets.remove(&uuid);
    }
}
