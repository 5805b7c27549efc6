//! What an attribute or a text can be: the trait, and the plain types of the language.
//! The scalars libvirt has of its own are in the modules below.

mod cpuset;
mod ip;
mod mac;
mod number;
mod size;
mod switch;

use std::fmt::Write as _;

pub use cpuset::CpuSet;
pub use mac::Mac;
pub use number::{Hex, HexWidth};
pub use size::{ByteSize, ScaledValue, Size, Unit};
pub use switch::{OnOff, YesNo};

use crate::error::Fault;
use crate::writer::Escaped;

/// A type whose values are written as one text. Everything that is a `Value` is also an element with that text.
pub trait Value: Sized {
    /// The allowed texts, where there is a list of them.
    const VALUES: &'static [&'static str] = &[];

    /// Some texts that are values: the ends of the range, and what is odd but allowed. Tests are made of these.
    const SAMPLES: &'static [&'static str] = Self::VALUES;

    /// Whether any text is a value.
    const IS_FREE: bool = false;

    /// Whether an optional element of this type that is empty counts as absent, as it does for libvirt's strings.
    const EMPTY_IS_ABSENT: bool = false;

    /// Reads a value.
    ///
    /// # Errors
    /// Why the text is no such value; the caller adds the place.
    fn from_text(text: &str) -> Result<Self, Fault>;

    /// Whether strict reading takes the text: reading is more generous with some types.
    ///
    /// # Errors
    /// Why the text is no such value.
    fn strict(text: &str) -> Result<(), Fault> {
        Self::from_text(text).map(drop)
    }

    /// Writes the value; the writer escapes it.
    fn put(&self, out: &mut Escaped<'_>);
}

impl Value for String {
    const EMPTY_IS_ABSENT: bool = true;
    const IS_FREE: bool = true;
    const SAMPLES: &'static [&'static str] = &[
        "a",
        "vda",
        "1",
        "/x/y",
        "10.0.0.1",
        "net-0.1",
        "0x1234",
        "52:54:00:00:00:01",
        "6695eb01-f6a4-8304-79aa-97f2502e193f",
        "20000000c9831b4b",
        "raw",
        "8:0",
        "ünï ☃ 𝄞",
        " outer  and inner  blanks ",
        "it's \"quoted\"",
        "<&>;&amp;",
        "two\nlines\tand\rmore",
        "100",
        "-1",
        "2026-11-21T17:20:00",
        "qemu+unix:///system",
        "",
    ];

    fn from_text(text: &str) -> Result<Self, Fault> {
        Ok(text.to_owned())
    }

    fn put(&self, out: &mut Escaped<'_>) {
        out.push(self);
    }
}

/// Numbers in decimal, as the reference reads them: leading blanks and a plus sign are accepted, nothing may follow.
macro_rules! decimal {
    ($($number:ty: $what:literal, $($sample:literal)*;)*) => { $(
        impl Value for $number {
            const SAMPLES: &'static [&'static str] = &[$($sample),*];

            fn from_text(text: &str) -> Result<Self, Fault> {
                text.trim_start_matches([' ', '\t', '\n', '\r']).parse().map_err(|_| Fault::NotA($what))
            }

            /// Digits alone; a number that may be negative has a sign before and blanks around it, if it likes.
            fn strict(text: &str) -> Result<(), Fault> {
                let is_signed = <$number>::MIN != 0;
                let text = if is_signed { text.trim() } else { text };
                let digits = text.strip_prefix(['-', '+']).filter(|_| is_signed).unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
                    return Err(Fault::NotA($what));
                }
                Self::from_text(text).map(drop)
            }

            fn put(&self, out: &mut Escaped<'_>) {
                // Writing to a String cannot fail.
                let _ = write!(out, "{self}");
            }
        }
    )* };
}

decimal! {
    u8: "a number from 0 to 255", "1" "0" "2" "7" "31" "64" "255";
    u16: "a number from 0 to 65535", "1" "0" "2" "16" "100" "1024" "4096" "65535";
    u32: "a non-negative integer", "1" "0" "2" "4" "16" "100" "512" "1024" "4096" "65535" "1048576" "2147483648" "4294967295";
    u64: "a non-negative integer", "1" "0" "2" "4" "16" "100" "512" "1024" "4096" "65535" "1048576" "4294967296"
        "9223372036854775808" "18446744073709551615";
    i16: "a small integer", "1" "0" "-1" "100" "-32768" "32767";
    i32: "an integer", "1" "0" "-1" "100" "5900" "65535" "-2147483648" "2147483647";
    i64: "an integer", "1" "0" "-1" "100" "3600" "-9223372036854775808" "9223372036854775807";
}

impl Value for uuid::Uuid {
    const EMPTY_IS_ABSENT: bool = true;
    const SAMPLES: &'static [&'static str] = &[
        "c7a5fdbd-edaf-9455-926a-d65c16db1809",
        "5B9FB7E0-96D8-4F0C-A1D5-3C2B0A9E8D7F",
        " 6695eb01f6a4830479aa97f2502e193f ",
        "00000000-0000-0000-0000-000000000001",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ];

    /// 32 hex digits; blanks and hyphens between them are read over, as the reference does.
    fn from_text(text: &str) -> Result<Self, Fault> {
        let digits: String = text.chars().filter(|c| !matches!(c, '-' | ' ' | '\t' | '\n' | '\r')).collect();
        if digits.len() != 32 {
            return Err(Fault::NotA("a UUID"));
        }
        Self::try_parse(&digits).map_err(|_| Fault::NotA("a UUID"))
    }

    /// All hyphens or none.
    fn strict(text: &str) -> Result<(), Fault> {
        if text.len() != 32 && !(text.len() == 36 && text.bytes().filter(|it| *it == b'-').count() == 4) {
            return Err(Fault::NotA("a UUID"));
        }
        Self::try_parse(text).map(drop).map_err(|_| Fault::NotA("a UUID"))
    }

    fn put(&self, out: &mut Escaped<'_>) {
        let mut buffer = Self::encode_buffer();
        out.push(self.hyphenated().encode_lower(&mut buffer));
    }
}
