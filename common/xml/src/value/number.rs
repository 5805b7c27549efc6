//! Numbers written in hexadecimal.

use std::fmt::Write as _;

use crate::error::Fault;
use crate::value::Value;
use crate::writer::Escaped;

/// How many digits a [`Hex`] is padded to: addresses have a fixed width, most others none.
pub type HexWidth = usize;

/// A number written as `0x` with at least `W` hex digits; read in decimal, octal (`0`) or hexadecimal (`0x`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hex<const W: HexWidth>(pub u64);

impl<const W: HexWidth> Value for Hex<W> {
    const SAMPLES: &'static [&'static str] =
        &["0x0", "1", "0x1f", "07", "0xff", "0x0008", "0xffff", "0xffffffff", "18446744073709551615"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        any_base(text).map(Self).ok_or(Fault::NotA("a non-negative integer"))
    }

    fn strict(text: &str) -> Result<(), Fault> {
        Self::from_text(text.trim()).map(drop)
    }

    fn put(&self, out: &mut Escaped<'_>) {
        let _ = write!(out, "0x{:0W$x}", self.0);
    }
}

impl<const W: HexWidth> From<u32> for Hex<W> {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

/// A number in the base its prefix names, with what may stand before it.
fn any_base(text: &str) -> Option<u64> {
    let text = text.trim_start();
    constant(text.strip_prefix('+').unwrap_or(text))
}

/// Digits in the base their prefix names, as C reads integer constants: 0x hexadecimal, 0 octal.
pub(super) fn constant(text: &str) -> Option<u64> {
    let (digits, base) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // from_str_radix would accept a sign.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        assert_eq!(any_base("0x1F"), Some(31));
        assert_eq!(any_base("010"), Some(8));
        assert_eq!(any_base("10"), Some(10));
        assert_eq!(any_base("0"), Some(0));
        assert_eq!(any_base("-1"), None);
        assert_eq!(any_base("0x"), None);
        assert_eq!(any_base("1x"), None);
    }
}
