//! Bodies of D-Bus messages, copied whatever they hold. What they mean is not known here.

use zbus::{Message, Structure, Variant, message::Builder};

/// Where the fields of a header begin; each starts at a multiple of eight.
const FIELDS: usize = 16;

/// How the field for the body's signature begins: its code, then a variant that holds a signature.
const SIGNATURE: [u8; 4] = [8, 1, b'g', 0];

/// A message with the body of another one.
pub(crate) fn with_body_of(message: &Message, builder: Builder<'_>) -> zbus::Result<Message> {
    let body = message.body();
    if body.is_empty() {
        return builder.build(&());
    }
    let content: Structure<'_> = body.deserialize()?;
    // zbus reads `(ii)` and `ii` as the same and writes a structure as its members; clients tell them apart.
    match signature(message) {
        Some(signature) if is_one_structure(signature) => {
            builder.build(&Structure::builder().append_field(Variant::Structure(content)).build()?)
        }
        _ => builder.build(&content),
    }
}

/// The body's signature as it stands in the header.
fn signature(message: &Message) -> Option<&[u8]> {
    let bytes: &[u8] = message.data();
    let length = bytes.get(12..FIELDS)?.first_chunk::<4>()?;
    let length = match bytes.first()? {
        b'l' => u32::from_le_bytes(*length),
        _ => u32::from_be_bytes(*length),
    };
    let fields = bytes.get(FIELDS..FIELDS.checked_add(usize::try_from(length).ok()?)?)?;
    // No other field has these bytes at such a place: names and paths hold no control characters.
    let at = fields.chunks(8).position(|it| it.starts_with(&SIGNATURE))?.checked_mul(8)?;
    let (length, rest) = fields.get(at..)?.get(SIGNATURE.len()..)?.split_first()?;
    rest.get(..usize::from(*length))
}

/// Whether a signature is one structure: its first parenthesis is closed by its last character.
fn is_one_structure(signature: &[u8]) -> bool {
    let mut depth = 0usize;
    for (at, byte) in (1..).zip(signature) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at == signature.len() && at > 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(path: &'static str) -> Builder<'static> {
        Message::signal(path, "org.libvirt.Domain", "Member")
    }

    fn check(original: zbus::Result<Message>, expected: &str) {
        let original = original.unwrap();
        let copy = with_body_of(&original, message("/another/path")).unwrap();
        for it in [&original, &copy] {
            assert_eq!(signature(it).unwrap_or_default(), expected.as_bytes());
        }
        assert_eq!(**original.body().data(), **copy.body().data(), "{expected}");
    }

    #[test]
    fn a_structure_stays_one() {
        check(message("/a").build(&((1, 2),)), "(ii)");
        check(message("/a").build(&(1, 2)), "ii");
        check(message("/a").build(&((1, 2), (3, "x"))), "(ii)(is)");
        check(message("/a").build(&"text"), "s");
        check(message("/a").build(&vec![(1u32, true)]), "a(ub)");
        check(message("/a").build(&()), "");
    }
}
