//! Values of every row for tests and fuzzing: made from a seed, and recoded from foreign bytes.
//!
//! Only with the feature `testing`, so that whoever relays frames cannot decode a body by accident.

use crate::header::MessageType;
use crate::route::Entry;
use crate::types::{TypedParam, TypedValue};
use crate::xdr::{Chars, DecodeError, EncodeError, FixedChars, Xdr};

/// A stream of numbers that depends on the seed alone (splitmix64).
#[derive(Debug)]
pub struct Source(u64);

impl Source {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, or 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word().checked_rem(bound).unwrap_or(0)
    }

    fn len(&mut self, max: u32) -> u64 {
        self.below(u64::from(max.min(4)) + 1)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.fill_with(|| self.byte());
        bytes
    }

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.word().to_be_bytes();
        byte
    }
}

/// A value made from a [`Source`].
pub trait Sample: Sized {
    /// The next value.
    fn sample(source: &mut Source) -> Self;
}

/// As [`Sample`], for values whose limit is part of the field.
pub trait SampleWithin: Sized {
    /// The next value, of at most `max` items.
    fn sample_within(max: u32, source: &mut Source) -> Self;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Sample for $ty {
            fn sample(source: &mut Source) -> Self {
                match source.below(4) {
                    0 => Self::MIN,
                    1 => Self::MAX,
                    _ => Self::from_be_bytes(source.bytes()),
                }
            }
        }
    )*};
}
numbers!(u8 i8 u16 u32 i32 u64 i64);

impl Sample for f64 {
    fn sample(source: &mut Source) -> Self {
        f64::from(i32::sample(source)) / 8.0
    }
}

impl Sample for () {
    fn sample(_: &mut Source) -> Self {}
}

impl Sample for String {
    fn sample(source: &mut Source) -> Self {
        let len = source.below(12);
        (0..len).map(|_| char::from_u32(u32::from(u16::sample(source)).max(1)).unwrap_or('x')).collect()
    }
}

impl<const N: usize> Sample for [u8; N] {
    fn sample(source: &mut Source) -> Self {
        source.bytes()
    }
}

impl<const N: usize> Sample for FixedChars<N> {
    fn sample(source: &mut Source) -> Self {
        Self(source.bytes())
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(source: &mut Source) -> Self {
        if source.below(2) == 0 { None } else { Some(T::sample(source)) }
    }
}

impl Sample for TypedParam {
    fn sample(source: &mut Source) -> Self {
        let value = match source.below(7) {
            0 => TypedValue::Int(Sample::sample(source)),
            1 => TypedValue::Uint(Sample::sample(source)),
            2 => TypedValue::Llong(Sample::sample(source)),
            3 => TypedValue::Ullong(Sample::sample(source)),
            4 => TypedValue::Double(Sample::sample(source)),
            5 => TypedValue::Boolean(source.below(2) == 1),
            _ => TypedValue::String(Sample::sample(source)),
        };
        Self { field: Sample::sample(source), value }
    }
}

impl<T: Sample> SampleWithin for Vec<T> {
    fn sample_within(max: u32, source: &mut Source) -> Self {
        (0..source.len(max)).map(|_| T::sample(source)).collect()
    }
}

impl SampleWithin for Chars {
    fn sample_within(max: u32, source: &mut Source) -> Self {
        Self(Vec::sample_within(max, source))
    }
}

/// Why bytes could not be decoded and encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecodeError {
    /// They are not a value of the type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The value that was read cannot be sent: a fault of this crate.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A value as text, and its bytes.
pub type Recoded = Result<(String, Vec<u8>), RecodeError>;

/// A type of the wire, by what can be done with its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The bytes of a value made from the source.
    pub sample: fn(&mut Source) -> Result<Vec<u8>, EncodeError>,
    /// The value as text, and its bytes again.
    pub recode: fn(&[u8]) -> Recoded,
}

impl Shape {
    pub(crate) const fn of<T: Xdr + Sample + std::fmt::Debug>() -> Self {
        Self {
            sample: |source| T::sample(source).to_bytes(),
            recode: |bytes| {
                let value = T::from_bytes(bytes)?;
                Ok((format!("{value:?}"), value.to_bytes()?))
            },
        }
    }
}

/// A row with its types.
#[derive(Debug, Clone, Copy)]
pub struct RowShapes {
    /// The row.
    pub entry: &'static Entry,
    /// The arguments, or the payload of an event.
    pub arguments: Shape,
    /// The reply.
    pub reply: Shape,
}

/// Every row with its types.
pub fn shapes() -> impl Iterator<Item = &'static RowShapes> {
    crate::table::SHAPES.iter().copied().flatten()
}

/// The type of a frame's payload when all went well; `None` for an unknown procedure and for streams.
pub fn payload_shape(program: u32, procedure: i32, kind: MessageType) -> Option<Shape> {
    let row = shapes().find(|it| it.entry.program.number() == program && it.entry.number == procedure)?;
    match kind {
        MessageType::Call | MessageType::CallWithFds | MessageType::Message => Some(row.arguments),
        MessageType::Reply | MessageType::ReplyWithFds => Some(row.reply),
        MessageType::Stream | MessageType::StreamHole => None,
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
