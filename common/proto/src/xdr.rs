//! XDR (RFC 4506) as the procedures use it: big-endian, every item padded to four bytes.
//!
//! Both directions are bounded. Decoding never allocates by a claimed length before the bytes are there and cannot
//! panic; encoding fails when a string or an array is longer than the peer would accept, so that the caller gets an
//! error instead of a broken connection. What the values mean is not known here.

/// Longest string either side accepts, in bytes.
pub const STRING_MAX: u32 = 4_194_304;

/// Why bytes are not the value that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than the value needs.
    #[error("payload ends early")]
    Truncated,
    /// A string or an array claims more items than its row allows.
    #[error("length {len} is over the limit of {max}")]
    TooLong {
        /// The claimed number of items.
        len: u32,
        /// The limit of the field.
        max: u32,
    },
    /// A string that is not UTF-8 or has a NUL inside; the reference would pass the first on and cut the second short.
    #[error("string is not text")]
    NotText,
    /// A union whose discriminant is not in the protocol.
    #[error("unknown variant {0}")]
    UnknownVariant(i32),
}

/// Why a value cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or an array is longer than the peer accepts.
    #[error("length {len} is over the limit of {max}")]
    TooLong {
        /// The number of items there are.
        len: usize,
        /// The limit of the field.
        max: u32,
    },
    /// A string with a NUL inside, which a peer would cut short.
    #[error("string contains a NUL")]
    NotText,
}

/// A value with one encoding.
///
/// `decode(encode(x)) == x` for every value that encodes.
pub trait Xdr: Sized {
    /// Appends the encoding to `out`; after an error `out` holds a part of it.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Takes one value off the front of `input`; after an error the position of `input` means nothing.
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError>;

    /// The encoding in a buffer of its own.
    fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        self.encode(&mut out)?;
        Ok(out)
    }

    /// Decodes a whole payload. Bytes behind the value are ignored, as the reference does.
    fn from_bytes(mut payload: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(&mut payload)
    }

    /// The items of an array, without its length: one after the other, except that bytes are packed.
    #[doc(hidden)]
    fn encode_items(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        items.iter().try_for_each(|it| it.encode(out))
    }

    /// The reverse of [`Xdr::encode_items`].
    #[doc(hidden)]
    fn decode_items(count: usize, input: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
        // No item is shorter than four bytes, so this reserves for bytes that have arrived only.
        let mut items = Vec::with_capacity(count.min(input.len() / 4));
        for _ in 0..count {
            items.push(Self::decode(input)?);
        }
        Ok(items)
    }
}

/// A value of variable length whose limit is part of the field, not of the type: `Vec<T>` and [`Chars`].
///
/// None of them is [`Xdr`] by itself, so a field without a limit does not compile.
pub trait Bounded: Sized {
    /// As [`Xdr::encode`], refusing more than `max` items.
    fn encode_within(&self, max: u32, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    /// As [`Xdr::decode`], refusing more than `max` items.
    fn decode_within(max: u32, input: &mut &[u8]) -> Result<Self, DecodeError>;
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(*head)
}

/// Takes `len` packed bytes and their padding, whose value is ignored.
fn take_packed<'a>(len: usize, input: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let padded = len.checked_next_multiple_of(4).ok_or(DecodeError::Truncated)?;
    let (head, rest) = input.split_at_checked(padded).ok_or(DecodeError::Truncated)?;
    *input = rest;
    head.get(..len).ok_or(DecodeError::Truncated)
}

fn put_packed(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes);
    let padding = bytes.len().next_multiple_of(4) - bytes.len();
    out.extend(std::iter::repeat_n(0, padding));
}

fn put_len(len: usize, max: u32, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let too_long = EncodeError::TooLong { len, max };
    let count = u32::try_from(len).map_err(|_| too_long)?;
    if count > max {
        return Err(too_long);
    }
    count.encode(out)
}

fn take_len(max: u32, input: &mut &[u8]) -> Result<usize, DecodeError> {
    let len = u32::decode(input)?;
    if len > max {
        return Err(DecodeError::TooLong { len, max });
    }
    usize::try_from(len).map_err(|_| DecodeError::TooLong { len, max })
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Xdr for $ty {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }
            fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
                take(input).map(Self::from_be_bytes)
            }
        }
    )*};
}
numbers!(i32 u32 i64 u64 f64);

/// `char`: four bytes on the wire, sign-extended. Decoding keeps the low byte, as the reference does.
impl Xdr for i8 {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        i32::from(*self).encode(out)
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let [.., low] = take::<4>(input)?;
        Ok(Self::from_be_bytes([low]))
    }
}

/// `unsigned char`: four bytes on the wire when alone, packed (`opaque`) in an array.
impl Xdr for u8 {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        u32::from(*self).encode(out)
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let [.., low] = take::<4>(input)?;
        Ok(low)
    }
    fn encode_items(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_packed(items, out);
        Ok(())
    }
    fn decode_items(count: usize, input: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
        take_packed(count, input).map(<[u8]>::to_vec)
    }
}

/// `unsigned short`: four bytes on the wire. Decoding keeps the low half, as the reference does.
impl Xdr for u16 {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        u32::from(*self).encode(out)
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let [.., high, low] = take::<4>(input)?;
        Ok(Self::from_be_bytes([high, low]))
    }
}

/// No arguments, or a reply without a value: nothing on the wire.
impl Xdr for () {
    fn encode(&self, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
    fn decode(_: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(())
    }
}

/// `opaque[N]`: a UUID.
impl<const N: usize> Xdr for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_packed(self, out);
        Ok(())
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let bytes = take_packed(N, input)?;
        bytes.first_chunk::<N>().copied().ok_or(DecodeError::Truncated)
    }
}

/// Up to [`STRING_MAX`] bytes of UTF-8 without a NUL.
impl Xdr for String {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.contains('\0') {
            return Err(EncodeError::NotText);
        }
        put_len(self.len(), STRING_MAX, out)?;
        put_packed(self.as_bytes(), out);
        Ok(())
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let len = take_len(STRING_MAX, input)?;
        let text = std::str::from_utf8(take_packed(len, input)?).map_err(|_| DecodeError::NotText)?;
        if text.contains('\0') { Err(DecodeError::NotText) } else { Ok(text.to_owned()) }
    }
}

/// A flag, then the value. Any flag but 0 means that the value is there.
impl<T: Xdr> Xdr for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            None => 0_u32.encode(out),
            Some(value) => {
                1_u32.encode(out)?;
                value.encode(out)
            }
        }
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        match u32::decode(input)? {
            0 => Ok(None),
            _ => T::decode(input).map(Some),
        }
    }
}

impl<T: Xdr> Bounded for Vec<T> {
    fn encode_within(&self, max: u32, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_len(self.len(), max, out)?;
        T::encode_items(self, out)
    }
    fn decode_within(max: u32, input: &mut &[u8]) -> Result<Self, DecodeError> {
        let count = take_len(max, input)?;
        T::decode_items(count, input)
    }
}

/// `char<max>`: bytes that take four bytes each on the wire (SASL data, security models and labels).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chars(pub Vec<u8>);

impl Chars {
    /// `text` with the NUL that the reference sends behind security labels and models.
    pub fn terminated(text: &str) -> Self {
        Self(text.bytes().chain([0]).collect())
    }

    /// What stands before the first NUL, with anything that is not UTF-8 replaced.
    pub fn text(&self) -> String {
        until_nul(&self.0)
    }
}

impl Bounded for Chars {
    fn encode_within(&self, max: u32, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_len(self.0.len(), max, out)?;
        put_chars(&self.0, out)
    }
    fn decode_within(max: u32, input: &mut &[u8]) -> Result<Self, DecodeError> {
        let count = take_len(max, input)?;
        let bytes = take_packed(count.checked_mul(4).ok_or(DecodeError::Truncated)?, input)?;
        Ok(Self(low_bytes(bytes).collect()))
    }
}

/// `char[N]`: as [`Chars`], of fixed length and padded with NULs (the CPU model of the node).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedChars<const N: usize>(pub [u8; N]);

impl<const N: usize> FixedChars<N> {
    /// `text` cut at `N - 1` bytes, so that at least one NUL follows it.
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        let room = N.saturating_sub(1);
        for (slot, byte) in bytes.iter_mut().take(room).zip(text.bytes()) {
            *slot = byte;
        }
        Self(bytes)
    }

    /// What stands before the first NUL, with anything that is not UTF-8 replaced.
    pub fn text(&self) -> String {
        until_nul(&self.0)
    }
}

impl<const N: usize> Default for FixedChars<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Xdr for FixedChars<N> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_chars(&self.0, out)
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let bytes = take_packed(N.checked_mul(4).ok_or(DecodeError::Truncated)?, input)?;
        let mut chars = [0; N];
        for (slot, byte) in chars.iter_mut().zip(low_bytes(bytes)) {
            *slot = byte;
        }
        Ok(Self(chars))
    }
}

fn put_chars(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    bytes.iter().try_for_each(|byte| i8::from_be_bytes([*byte]).encode(out))
}

fn low_bytes(words: &[u8]) -> impl Iterator<Item = u8> {
    words.iter().copied().skip(3).step_by(4)
}

fn until_nul(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Xdr + PartialEq + std::fmt::Debug>(value: &T, hex: &str) {
        let bytes = value.to_bytes().unwrap();
        let seen: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(seen, hex);
        assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    }

    #[test]
    fn known_encodings() {
        check(&-1_i32, "ffffffff");
        check(&7_u8, "00000007");
        check(&-2_i8, "fffffffe");
        check(&1.5_f64, "3ff8000000000000");
        check(&"abcde".to_owned(), "000000056162636465000000");
        check(&Some(1_u32), "0000000100000001");
        check(&None::<u32>, "00000000");
        check(&[1_u8, 2, 3], "01020300");
        check(&FixedChars::<3>::new("xyz"), "000000780000007900000000");
    }

    #[test]
    fn bytes_are_packed_and_chars_are_not() {
        let mut out = Vec::new();
        vec![1_u8, 2].encode_within(2, &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 2, 1, 2, 0, 0]);
        out.clear();
        Chars::terminated("a").encode_within(2, &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 2, 0, 0, 0, 97, 0, 0, 0, 0]);
        assert_eq!(Chars::decode_within(2, &mut out.as_slice()).unwrap().text(), "a");
    }

    #[test]
    fn limits_hold_both_ways() {
        let mut out = Vec::new();
        assert_eq!(vec![1_u32, 2].encode_within(1, &mut out), Err(EncodeError::TooLong { len: 2, max: 1 }));
        let claimed = [0xff, 0xff, 0xff, 0xff];
        let over = DecodeError::TooLong { len: u32::MAX, max: 5 };
        assert_eq!(Vec::<u32>::decode_within(5, &mut claimed.as_slice()), Err(over));
        assert_eq!(Vec::<u8>::decode_within(u32::MAX, &mut claimed.as_slice()), Err(DecodeError::Truncated));
        assert_eq!(Vec::<u64>::decode_within(u32::MAX, &mut claimed.as_slice()), Err(DecodeError::Truncated));
        assert_eq!(Chars::decode_within(u32::MAX, &mut claimed.as_slice()), Err(DecodeError::Truncated));
    }

    #[test]
    fn strings_are_text() {
        assert_eq!(String::from_bytes(&[0, 0, 0, 1, 0xff, 0, 0, 0]), Err(DecodeError::NotText));
        assert_eq!(String::from_bytes(&[0, 0, 0, 1, 0, 0, 0, 0]), Err(DecodeError::NotText));
        assert_eq!("a\0".to_owned().to_bytes(), Err(EncodeError::NotText));
    }

    #[test]
    fn lenient_where_the_reference_is() {
        assert_eq!(Option::<u32>::from_bytes(&[0, 0, 0, 9, 0, 0, 0, 1]), Ok(Some(1)));
        assert_eq!(String::from_bytes(&[0, 0, 0, 1, 97, 1, 2, 3, 4]), Ok("a".to_owned()));
    }
}
