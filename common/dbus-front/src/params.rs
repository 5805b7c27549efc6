//! Arguments in D-Bus's types: typed parameters as dictionaries `a{sv}` (libvirt-dbus's value types), flags, UUIDs.

use std::collections::HashMap;

use uuid::Uuid;
use virtbus_api::{Error as ApiError, ParamValue, TypedParam, hypervisor::MetadataKind};
use zbus::{OwnedVariant, Str, Variant};

use crate::error::{Error, Result};

/// A dictionary of the parameters; of two with one name the later stays.
pub fn to_dict(params: Vec<TypedParam>) -> HashMap<String, OwnedVariant> {
    params.into_iter().map(|it| (it.field, value(it.value))).collect()
}

fn value(it: ParamValue) -> OwnedVariant {
    match it {
        ParamValue::Int(it) => it.into(),
        ParamValue::Uint(it) => it.into(),
        ParamValue::Llong(it) => it.into(),
        ParamValue::Ullong(it) => it.into(),
        ParamValue::Double(it) => it.into(),
        ParamValue::Boolean(it) => it.into(),
        ParamValue::String(it) => Str::from(it).into(),
    }
}

/// The parameters of a dictionary, in order of their names.
pub fn from_dict(dict: HashMap<String, OwnedVariant>) -> Result<Vec<TypedParam>> {
    let mut params = dict
        .into_iter()
        .map(|(field, it)| {
            let value = match &*it {
                Variant::I32(it) => ParamValue::Int(*it),
                Variant::U32(it) => ParamValue::Uint(*it),
                Variant::I64(it) => ParamValue::Llong(*it),
                Variant::U64(it) => ParamValue::Ullong(*it),
                Variant::F64(it) => ParamValue::Double(*it),
                Variant::Bool(it) => ParamValue::Boolean(*it),
                Variant::Str(it) => ParamValue::String(it.to_string()),
                other => {
                    let kind = other.value_signature();
                    return Err(ApiError::invalid_arg(format!(
                        "parameter {field} has the type {kind}, which none has"
                    )));
                }
            };
            Ok(TypedParam { field, value })
        })
        .collect::<std::result::Result<Vec<_>, _>>()?;
    params.sort_by(|one, other| one.field.cmp(&other.field));
    Ok(params)
}

/// The flags of a word; unknown bits are refused as libvirt does, naming the function.
pub fn word<F: bitflags::Flags<Bits = u32>>(bits: u32, function: &str) -> Result<F> {
    F::from_bits(bits).ok_or_else(|| unsupported(bits & !F::all().bits(), function))
}

/// Refuses every flag.
pub fn no_flags(bits: u32, function: &str) -> Result<()> {
    if bits == 0 { Ok(()) } else { Err(unsupported(bits, function)) }
}

/// `None` for the empty string: D-Bus has no null.
pub fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The UUID of a text.
pub fn uuid(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| ApiError::invalid_arg(format!("uuidstr '{text}' must be a valid UUID")).into())
}

/// Which metadata is meant.
pub fn metadata_kind(kind: i32, uri: &str) -> Result<MetadataKind> {
    match kind {
        0 => Ok(MetadataKind::Description),
        1 => Ok(MetadataKind::Title),
        2 if !uri.is_empty() => Ok(MetadataKind::Element { uri: uri.to_owned() }),
        2 => Err(ApiError::invalid_arg("uri must not be empty for metadata of type 2 (element)").into()),
        _ => Err(ApiError::invalid_arg(format!(
            "metadata type {kind} is none of 0 (description), 1 (title), 2 (element)"
        ))
        .into()),
    }
}

/// -1 stands for all of them.
pub fn all_or_one(number: i32, argument: &str) -> Result<Option<u32>> {
    match number {
        -1 => Ok(None),
        _ => u32::try_from(number).map(Some).map_err(|_| {
            ApiError::invalid_arg(format!("{argument} {number} is neither a number from 0 on nor -1 for all")).into()
        }),
    }
}

fn unsupported(bits: u32, function: &str) -> Error {
    ApiError::invalid_arg(format!("unsupported flags (0x{bits:x}) in function {function}")).into()
}
