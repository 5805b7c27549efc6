//! What QEMU is told of an object: the JSON that serves `-device` and `device_add` alike.
//!
//! Members come in the order of the struct's fields, as the reference writes them: a guest's log then reads the same. Members
//! that are not set are left out.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use virtbus_api::{Error, Result};

/// Whether a member is left out.
pub trait Absent {
    /// True for what is not set.
    fn absent(&self) -> bool;
}

impl<T> Absent for Option<T> {
    fn absent(&self) -> bool {
        self.is_none()
    }
}

macro_rules! always_there {
    ($($ty:ty),*) => { $( impl Absent for $ty { fn absent(&self) -> bool { false } } )* };
}

always_there!(bool, i32, i64, u8, u16, u32, u64, usize, String);

impl Absent for &str {
    fn absent(&self) -> bool {
        false
    }
}

impl<T> Absent for Vec<T> {
    /// An empty list says nothing.
    fn absent(&self) -> bool {
        self.is_empty()
    }
}

/// Declares structs of properties: members are named in kebab case, and left out when [`Absent`].
macro_rules! props {
    ($( $(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)? { $( $(#[$field_meta:meta])* $field:ident: $ty:ty ),* $(,)? } )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        $vis struct $name $(<$life>)? { $(
            $(#[$field_meta])*
            #[serde(skip_serializing_if = "crate::device::props::Absent::absent")]
            $field: $ty,
        )* }

        impl $(<$life>)? crate::device::props::Absent for $name $(<$life>)? {
            fn absent(&self) -> bool {
                false
            }
        }
    )* };
}
pub(crate) use props;

/// Properties as finished JSON, and the name they are taken back by.
#[derive(Debug, Clone)]
pub struct Props {
    id: String,
    json: Box<RawValue>,
}

impl Props {
    /// Writes `members` down; `id` is what removing it will name (`id` of devices, `node-name` of block nodes).
    ///
    /// # Errors
    /// `INTERNAL_ERROR` if a member cannot be written as JSON, which plain data always can.
    pub fn new(id: impl Into<String>, members: &impl Serialize) -> Result<Self> {
        Ok(Self { id: id.into(), json: raw(members)? })
    }

    /// The name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same with members replaced, added at the end, or (`None`) taken away.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn changed(&self, changes: &[(String, Option<serde_json::Value>)]) -> Result<Self> {
        let text = self.json.get();
        let mut members: Members =
            serde_json::from_str(text).map_err(|error| Error::internal("device properties").caused_by(error))?;
        for (name, value) in changes {
            let at = members.0.iter().position(|(known, _)| known == name);
            match (at, value) {
                (Some(at), Some(value)) => members.0[at].1 = raw(value)?,
                (Some(at), None) => {
                    members.0.remove(at);
                }
                (None, Some(value)) => members.0.push((name.clone(), raw(value)?)),
                (None, None) => {}
            }
        }
        Ok(Self { id: self.id.clone(), json: raw(&members)? })
    }

    /// The JSON object.
    #[must_use]
    pub fn json(&self) -> &RawValue {
        &self.json
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|error| Error::internal("device properties").caused_by(error))
}

/// The members of an object in their order.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Members, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    props! {
        struct Place<'a> { bus: &'a str, addr: Option<String> }
        struct Thing<'a> { driver: &'static str, #[serde(flatten)] place: Place<'a>, #[serde(rename = "max_outputs")] outputs: Option<u32>, read_only: bool }
    }

    #[test]
    fn order_and_absence() {
        let thing = Thing { driver: "x", place: Place { bus: "pci.0", addr: None }, outputs: None, read_only: true };
        let props = Props::new("x0", &thing).expect("plain data");
        assert_eq!(props.json().get(), r#"{"driver":"x","bus":"pci.0","read-only":true}"#);
        let changes =
            [("bus".to_owned(), None), ("driver".to_owned(), Some("y".into())), ("z".to_owned(), Some(1.into()))];
        let changed = props.changed(&changes).expect("an object");
        assert_eq!(changed.json().get(), r#"{"driver":"y","read-only":true,"z":1}"#);
    }
}
