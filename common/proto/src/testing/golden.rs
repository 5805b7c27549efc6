//! The frames of the reference: header and payload are read and written again to the same bytes.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Shape, payload_shape};
use crate::error::ErrorMessage;
use crate::types::StreamHole;
use crate::{FDS_MAX, HEADER_LEN, Header, LENGTH_LEN, MessageType, Status, entry};

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.trim().chars().collect();
    digits.chunks(2).map(|it| u8::from_str_radix(&String::from_iter(it), 16).unwrap()).collect()
}

fn check_frame(frame: &[u8]) -> Header {
    let (length, rest) = frame.split_first_chunk::<LENGTH_LEN>().unwrap();
    assert_eq!(u32::from_be_bytes(*length), u32::try_from(frame.len()).unwrap());
    let (bytes, mut payload) = rest.split_first_chunk::<HEADER_LEN>().unwrap();
    let header = Header::decode(bytes).unwrap();
    assert_eq!(header.encode(), *bytes);
    let row = entry(header.program, header.procedure).unwrap();

    if header.kind.has_fds() {
        let (count, rest) = payload.split_first_chunk::<4>().unwrap();
        assert!(u32::from_be_bytes(*count) <= FDS_MAX);
        assert_ne!(row.fds, crate::Fds::None, "{}", row.name);
        payload = rest;
    }
    assert_eq!(header.kind == MessageType::Message, row.event, "{}", row.name);
    let shape = match (header.kind, header.status) {
        (MessageType::Reply, Status::Error) => Some(Shape::of::<ErrorMessage>()),
        (MessageType::StreamHole, _) => Some(Shape::of::<StreamHole>()),
        (MessageType::Stream, _) => {
            assert_ne!(row.stream, crate::Stream::None, "{}", row.name);
            None
        }
        (kind, _) => Some(payload_shape(header.program, header.procedure, kind).unwrap()),
    };
    if let Some(shape) = shape {
        let (text, again) = (shape.recode)(payload).unwrap_or_else(|err| panic!("{}: {err}", row.name));
        assert_eq!(again, payload, "{}: {text}", row.name);
    }
    header
}

#[test]
fn frames_of_the_reference_are_read_and_written_again() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/rpc");
    let mut frames = 0;
    let mut procedures = BTreeSet::new();
    for file in std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()) {
        if file.extension().is_none_or(|it| it != "frames") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for hex in text.lines().filter(|it| !it.starts_with('#')).filter_map(|it| it.get(2..)) {
            let header = check_frame(&from_hex(hex));
            frames += 1;
            procedures.insert((header.program, header.procedure));
        }
    }
    assert!(frames > 1500, "{frames} frames only");
    assert!(procedures.len() > 200, "{} procedures only", procedures.len());
}
