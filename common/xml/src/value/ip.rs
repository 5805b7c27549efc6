//! IP addresses, read as the reference's resolver reads numeric ones and written in their shortest form.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::error::Fault;
use crate::value::Value;
use crate::value::number::constant;
use crate::writer::Escaped;

impl Value for IpAddr {
    const SAMPLES: &'static [&'static str] = &[
        "10.0.0.1",
        "10.0.0.9",
        "10.0.0.0",
        "0.0.0.0",
        "255.255.255.0",
        "fd00::1",
        "FD00:0:0::",
        "::ffff:10.0.0.1",
        "::",
    ];

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text.parse() {
            Ok(address) => Ok(address),
            Err(_) => old_v4(text).map(Self::V4).ok_or(Fault::NotA("an IP address")),
        }
    }

    fn put(&self, out: &mut Escaped<'_>) {
        let _ = write!(out, "{self}");
    }
}

impl Value for Ipv4Addr {
    const SAMPLES: &'static [&'static str] =
        &["10.0.0.1", "255.255.255.0", "0.0.0.0", "0x0a000001", "010.1", "255.255.255.255"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text.parse() {
            Ok(address) => Ok(address),
            Err(_) => old_v4(text).ok_or(Fault::NotA("an IPv4 address")),
        }
    }

    fn put(&self, out: &mut Escaped<'_>) {
        let _ = write!(out, "{self}");
    }
}

/// The spellings of BSD: fewer than four numbers, of which the last fills the rest; octal and hexadecimal ones.
fn old_v4(text: &str) -> Option<Ipv4Addr> {
    let mut numbers = text.split('.').map(number);
    let mut address: u32 = 0;
    let mut last = numbers.next()??;
    let mut shift = 32_u32;
    for next in numbers {
        shift = shift.checked_sub(8).filter(|it| *it >= 8)?;
        address |= u32::from(u8::try_from(last).ok()?) << shift;
        last = next?;
    }
    if shift < 32 && last >> shift != 0 {
        return None;
    }
    Some(Ipv4Addr::from(address | last))
}

fn number(text: &str) -> Option<u32> {
    constant(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let shown = |text: &str| IpAddr::from_text(text).map(|it| it.to_string()).ok();
        assert_eq!(shown("10.0.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(shown("010.0.0.1").as_deref(), Some("8.0.0.1"));
        assert_eq!(shown("10.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(shown("10.1.258").as_deref(), Some("10.1.1.2"));
        assert_eq!(shown("0x0a000001").as_deref(), Some("10.0.0.1"));
        assert_eq!(shown("FD00:0::1").as_deref(), Some("fd00::1"));
        for bad in ["", "x", " 10.0.0.1", "256.1", "10.1.65536", "1.2.3.4.5", "1.2.3.256", "1.+2", "10.0.0.0/8"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
