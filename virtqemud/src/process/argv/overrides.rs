//! `<qemu:override>`: properties of devices that the user knows better.

use serde_json::Value;
use virtbus_api::{Error, Result};
use virtbus_schema::domain::qemu::{QemuOverride, QemuProperty, QemuPropertyKind};

/// What is changed of the device with this alias.
///
/// # Errors
/// A value is not of its type.
pub(super) fn of(overrides: &QemuOverride, alias: &str) -> Result<Vec<(String, Option<Value>)>> {
    let devices = overrides.devices.iter().filter(|it| it.alias == alias);
    let properties = devices.flat_map(|it| &it.frontend.properties);
    properties.map(|it| Ok((it.name.clone(), value(it)?))).collect()
}

fn value(it: &QemuProperty) -> Result<Option<Value>> {
    let text = it.value.as_deref().unwrap_or_default();
    let wrong = || Error::xml(format!("invalid value '{text}' for qemu property '{}'", it.name));
    Ok(Some(match it.kind {
        QemuPropertyKind::Remove => return Ok(None),
        QemuPropertyKind::String => Value::from(text),
        QemuPropertyKind::Unsigned => Value::from(text.parse::<u64>().map_err(|_| wrong())?),
        QemuPropertyKind::Signed => Value::from(text.parse::<i64>().map_err(|_| wrong())?),
        QemuPropertyKind::Bool => Value::from(text.parse::<bool>().map_err(|_| wrong())?),
    }))
}
