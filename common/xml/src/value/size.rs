//! Sizes with units.

use crate::decode::Xml;
use crate::describe::{Describe, Texts};
use crate::document::Node;
use crate::error::{ErrorKind, Fault, Result};
use crate::value::Value;
use crate::writer::Writer;

/// A unit of sizes: bytes, powers of 1000 (KB) and of 1024 (KiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit {
    name: &'static str,
    bytes: u64,
}

impl Unit {
    /// Bytes, written `bytes`.
    pub const BYTES: Self = Self { name: "bytes", bytes: 1 };
    /// 1024 bytes, the unit of nearly all of libvirt's sizes.
    pub const KIB: Self = Self { name: "KiB", bytes: 1 << 10 };

    /// The unit a suffix names: `b`, `bytes`, `k`, `KiB`, `KB`, `M`, ... in any case.
    #[must_use]
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        if suffix.is_empty()
            || suffix.eq_ignore_ascii_case("b")
            || suffix.eq_ignore_ascii_case("byte")
            || suffix.eq_ignore_ascii_case("bytes")
        {
            return Some(Self::BYTES);
        }
        let mut chars = suffix.chars();
        let power = match chars.next()?.to_ascii_lowercase() {
            'k' => 1,
            'm' => 2,
            'g' => 3,
            't' => 4,
            'p' => 5,
            'e' => 6,
            _ => return None,
        };
        let rest = chars.as_str();
        let base: u64 = if rest.is_empty() || rest.eq_ignore_ascii_case("ib") {
            1024
        } else if rest.eq_ignore_ascii_case("b") {
            1000
        } else {
            return None;
        };
        Some(Self { name: "", bytes: base.checked_pow(power)? })
    }

    /// How many bytes one of it is.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }
}

/// A number with a unit attribute, as bytes: what `<memory unit='GiB'>4</memory>` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaledValue {
    /// The size in bytes.
    pub bytes: u64,
}

impl ScaledValue {
    /// Scales a number by the unit it was given in, or by `default`.
    ///
    /// # Errors
    /// An unknown unit or a number beyond 64 bits.
    pub fn new(number: u64, unit: Option<&str>, default: Unit) -> std::result::Result<Self, Fault> {
        let scale = match unit {
            None | Some("") => default,
            Some(suffix) => Unit::from_suffix(suffix)
                .ok_or_else(|| Fault::Other(ErrorKind::Argument, format!("unknown size unit \"{suffix}\"")))?,
        };
        let bytes = number.checked_mul(scale.bytes).ok_or_else(|| {
            Fault::Other(ErrorKind::Overflow, format!("value too large: {number} {}", unit.unwrap_or("")))
        })?;
        Ok(Self { bytes })
    }
}

/// A size in KiB, written `<x unit='KiB'>1048576</x>`; any unit is read, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Size {
    /// The size in KiB.
    pub kib: u64,
}

impl Size {
    /// A size of so many KiB.
    #[must_use]
    pub const fn from_kib(kib: u64) -> Self {
        Self { kib }
    }

    /// The size in bytes, saturating.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.kib.saturating_mul(1024)
    }

    /// Reads number and unit from where a schema has them.
    ///
    /// # Errors
    /// The number or unit is none, or the size does not fit.
    pub fn from_parts(number: &str, unit: Option<&str>, default: Unit) -> std::result::Result<Self, Fault> {
        let number = u64::from_text(number)?;
        let size = Self { kib: ScaledValue::new(number, unit, default)?.bytes.div_ceil(1024) };
        // What rounding makes larger than any size would not be read again.
        match size.kib.checked_mul(1024).filter(|it| i64::try_from(*it).is_ok()) {
            Some(_) => Ok(size),
            None => Err(Fault::Other(
                ErrorKind::Overflow,
                format!("value too large: {number} {}", unit.unwrap_or_default()),
            )),
        }
    }
}

/// Strict reading of a size: digits, and a unit that is one.
fn examine_size(node: Node<'_>) -> Result<()> {
    let text = crate::form::own_text(node);
    u64::strict(&text).map_err(|fault| node.fault(&text, fault))?;
    match node.attr("unit").filter(|it| it.value().is_empty() || Unit::from_suffix(it.value()).is_none()) {
        Some(unit) => Err(unit.error(ErrorKind::Unknown, "no unit of sizes")),
        None => Ok(()),
    }
}

impl Xml for Size {
    fn examine(node: Node<'_>) -> Result<()> {
        examine_size(node)
    }

    fn read(node: Node<'_>) -> Result<Self> {
        let unit = node.attr("unit");
        let text = node.text();
        Self::from_parts(&text, unit.map(|it| it.value()), Unit::KIB).map_err(|fault| node.fault(&text, fault))
    }

    fn write_attrs(&self, w: &mut Writer) {
        w.attr_str("unit", Unit::KIB.name);
    }

    fn write_content(&self, w: &mut Writer) {
        w.text(&self.kib);
    }

    fn describe(to: &mut dyn Describe) {
        to.attr("unit", Texts::UNITS);
        to.text(Texts::of::<u64>());
    }
}

/// A size in bytes, written `<x unit='bytes'>131072</x>`; any unit is read, bytes without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ByteSize {
    /// The size in bytes.
    pub bytes: u64,
}

impl Xml for ByteSize {
    fn examine(node: Node<'_>) -> Result<()> {
        examine_size(node)
    }

    fn read(node: Node<'_>) -> Result<Self> {
        let unit = node.attr("unit");
        let text = node.text();
        u64::from_text(&text)
            .and_then(|number| ScaledValue::new(number, unit.map(|it| it.value()), Unit::BYTES))
            .map(|it| Self { bytes: it.bytes })
            .map_err(|fault| node.fault(&text, fault))
    }

    fn write_attrs(&self, w: &mut Writer) {
        w.attr_str("unit", Unit::BYTES.name);
    }

    fn write_content(&self, w: &mut Writer) {
        w.text(&self.bytes);
    }

    fn describe(to: &mut dyn Describe) {
        to.attr("unit", Texts::UNITS);
        to.text(Texts::of::<u64>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_scale_and_round_up() {
        let kib = |number, unit| Size::from_parts(number, unit, Unit::KIB).map(|it| it.kib);
        assert_eq!(kib("5", None), Ok(5));
        assert_eq!(kib("1", Some("b")), Ok(1));
        assert_eq!(kib("2", Some("GiB")), Ok(2 << 20));
        assert_eq!(kib("1", Some("KB")), Ok(1));
        assert_eq!(kib("1", Some("MB")), Ok(977));
        assert_eq!(kib("9007199254740991", Some("KiB")), Ok((1 << 53) - 1));
        assert!(matches!(kib("9223372036854775807", Some("b")), Err(Fault::Other(ErrorKind::Overflow, _))));
        assert!(matches!(kib("99", Some("EiB")), Err(Fault::Other(ErrorKind::Overflow, _))));
        assert!(kib("0x10", None).is_err());
        assert!(kib("1", Some("parsec")).is_err());
    }
}
