//! MAC addresses.

use std::fmt;

use crate::error::{ErrorKind, Fault};
use crate::value::Value;
use crate::writer::Escaped;

/// A MAC address, written in lower case with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it addresses a group.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl std::str::FromStr for Mac {
    type Err = Fault;

    /// Six groups of one or two hex digits between colons.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let fault = || {
            Fault::Other(
                ErrorKind::BadValue,
                format!("\"{}\" is not a MAC address", text.chars().take(40).collect::<String>()),
            )
        };
        let mut bytes = [0; 6];
        let mut groups = text.split(':');
        for byte in &mut bytes {
            let group = groups.next().filter(|it| (1..=2).contains(&it.len())).ok_or_else(fault)?;
            *byte = u8::from_str_radix(group, 16).map_err(|_| fault())?;
        }
        if groups.next().is_some() { Err(fault()) } else { Ok(Self(bytes)) }
    }
}

impl Value for Mac {
    const SAMPLES: &'static [&'static str] =
        &["52:54:00:00:00:01", "0:1:2:3:4:5", "52:54:00:AB:cd:ef", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        text.parse()
    }

    fn put(&self, out: &mut Escaped<'_>) {
        let _ = fmt::Write::write_fmt(out, format_args!("{self}"));
    }
}
