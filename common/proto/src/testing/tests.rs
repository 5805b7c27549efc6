//! Every row: what is encoded is read back, and what is cut short is refused.

use proptest::prelude::*;

use super::*;
use crate::{ADMIN, Access, KEEPALIVE, Owner, QEMU, REMOTE, entry};

fn check_shape(shape: Shape, name: &str, seed: u64) {
    let bytes = (shape.sample)(&mut Source::new(seed)).unwrap_or_else(|err| panic!("{name}: {err}"));
    assert_eq!(bytes.len() % 4, 0, "{name}");
    let (text, again) = (shape.recode)(&bytes).unwrap_or_else(|err| panic!("{name}: {err}"));
    assert_eq!(again, bytes, "{name}: {text}");
    let (text_again, _) = (shape.recode)(&again).unwrap();
    assert_eq!(text_again, text, "{name}");
    for len in 0..bytes.len() {
        let cut = (shape.recode)(bytes.get(..len).unwrap());
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

#[test]
fn rows_are_found_by_number() {
    for row in REMOTE.iter().chain(&QEMU).chain(&ADMIN).chain(&KEEPALIVE) {
        assert_eq!(entry(row.program.number(), row.number), Some(*row));
    }
    assert_eq!(entry(0x2000_8086, 10).map(|it| it.name), Some("DOMAIN_CREATE_XML"));
    for (program, number) in [(0x2000_8086, 0), (0x2000_8086, -1), (0x2000_8086, i32::MIN), (0x2000_8086, 454)] {
        assert_eq!(entry(program, number), None);
    }
    assert_eq!((entry(0x0006_8000, 1), entry(7, 1)), (None, None));
}

/// A relay sends each row to one daemon; these are the numbers that a change must mean to change.
#[test]
fn owners_are_counted() {
    let count = |owner| REMOTE.iter().filter(|it| it.owner == owner).count();
    let owners = [Owner::Session, Owner::Qemu, Owner::Network, Owner::Storage].map(count);
    assert_eq!(owners, [14, 313, 65, 61]);
    let session = REMOTE.iter().filter(|it| it.owner == Owner::Session).map(|it| it.number);
    assert!(session.eq([1, 2, 60, 66, 67, 68, 69, 70, 110, 149, 360, 361, 362, 419]));
}

/// The permissions whose polkit actions the reference allows to everyone, and listing within a pool or network.
fn reads(acl: &str) -> bool {
    let permission = acl.split(':').nth(1).unwrap();
    permission == "getattr" || permission == "read" || permission.starts_with("search_")
}

/// A read-only connection may call what needs reading only. The exceptions were seen on the reference by calling
/// every row on a read-only connection: it refuses three rows that ask for reading, and serves three that ask for
/// more (a relay sets the identity of a read-only client too).
#[test]
fn access_follows_the_permissions() {
    let exceptions = [
        (58, Access::Write),
        (395, Access::Write),
        (396, Access::Write),
        (299, Access::Read),
        (387, Access::Read),
        (419, Access::Read),
    ];
    for row in REMOTE.iter().chain(&QEMU).filter(|it| !it.event) {
        let always = |acl: &&&str| acl.split(':').count() == 2;
        let exception = exceptions.iter().find(|it| it.0 == row.number && row.program == crate::Program::Remote);
        let expected = match exception {
            Some((_, access)) => *access,
            None if row.acl.is_empty() => Access::None,
            None if row.acl.iter().filter(always).all(|it| reads(it)) => Access::Read,
            None => Access::Write,
        };
        assert_eq!(row.access, expected, "{}", row.name);
    }
    assert!(ADMIN.iter().all(|it| it.access == Access::Write));
}
