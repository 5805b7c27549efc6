//! Typed parameters as D-Bus dictionaries `a{sv}`, in libvirt-dbus's value types.

use std::collections::HashMap;

use virtbus_api::{Error as ApiError, ParamValue, TypedParam};
use zbus::{OwnedVariant, Str};

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
