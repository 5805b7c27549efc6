//! Every row: what is encoded is read back, and what is cut short is refused.

use proptest::prelude::*;

use super::*;
use crate::{ADMIN, KEEPALIVE, QEMU, REMOTE};

fn check_shape(shape: Shape, name: &str, seed: u64) {
    let bytes = (shape.sample)(&mut Source::new(seed)).unwrap_or_else(|err| panic!("{name}: {err}"));
    assert_eq!(bytes.len() % 4, 0, "{name}");
    let (text, again) = (shape.recode)(&bytes).unwrap_or_else(|err| panic!("{name}: {err}"));
    assert_eq!(again, bytes, "{name}: {text}");
    let (text_again, _) = (shape.recode)(&again).unwrap();
    assert_eq!(text_again, text, "{name}");
    for len in 0..bytes.len() {
        let cut = (shape.recode)(&bytes[..len]);
        assert_eq!(cut, Err(RecodeError::Decode(DecodeError::Truncated)), "{name} cut to {len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_round_trips(seed: u64) {
        for row in shapes() {
            check_shape(row.arguments, row.entry.name, seed);
            check_shape(row.reply, row.entry.name, seed.rotate_left(7));
        }
    }

    #[test]
    fn no_bytes_make_a_row_panic(bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()], 0..256)) {
        for row in shapes() {
            for shape in [row.arguments, row.reply] {
                if let Err(RecodeError::Encode(err)) = (shape.recode)(&bytes) {
                    panic!("{}: read what it cannot write: {err}", row.entry.name);
                }
            }
        }
    }
}

#[test]
fn errors_round_trip() {
    for seed in 0..200 {
        check_shape(Shape::of::<crate::error::ErrorMessage>(), "ErrorMessage", seed);
        check_shape(Shape::of::<crate::types::StreamHole>(), "StreamHole", seed);
    }
}

#[test]
fn counts_are_those_of_the_protocol() {
    assert_eq!((REMOTE.len(), QEMU.len(), ADMIN.len(), KEEPALIVE.len()), (453, 7, 20, 2));
    assert_eq!(shapes().count(), 453 + 7 + 20 + 2);
    assert_eq!(REMOTE.iter().filter(|it| it.event).count(), 53);
    assert_eq!(REMOTE.iter().filter(|it| !it.needs_auth).count(), 5);
    let fds: Vec<_> = REMOTE.iter().filter(|it| it.fds != crate::Fds::None).map(|it| it.number).collect();
    assert_eq!(fds, [249, 309, 310, 343, 443]);
    let streams: Vec<_> = REMOTE.iter().filter(|it| it.stream != crate::Stream::None).map(|it| it.number).collect();
    assert_eq!(streams, [148, 201, 208, 209, 211, 215, 296, 304]);
}
