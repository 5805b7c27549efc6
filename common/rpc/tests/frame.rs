//! Cutting frames out of a byte stream: any split gives the same frames, and no garbage does harm.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: a panic is a failed test")]

use std::os::fd::{AsRawFd, OwnedFd};

use proptest::prelude::*;
use virtbus_proto::{Header, MessageType, Program, Status};
use virtbus_rpc::frame::{Decoder, Frame, FrameError, Incoming, Next, Outbox};

fn descriptor() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

/// What an outbox would write: bytes, and the places of descriptors among them.
fn written(outbox: &mut Outbox) -> (Vec<u8>, Vec<(usize, OwnedFd)>) {
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    loop {
        let wrote = outbox.with_next(|next| match next {
            Next::Bytes(slices) => {
                let before = bytes.len();
                slices.iter().for_each(|it| bytes.extend_from_slice(it));
                Some(bytes.len() - before)
            }
            Next::Descriptor(fd) => {
                bytes.push(0);
                fds.push((bytes.len(), fd.try_clone().unwrap()));
                None
            }
        });
        match wrote {
            None => return (bytes, fds),
            Some(Some(count)) => outbox.wrote(count),
            Some(None) => outbox.sent_descriptor(),
        }
    }
}

/// Feeds bytes in pieces of the sizes given, over and over, as the kernel would give them: a read ends with a descriptor.
fn decode(bytes: &[u8], fds: Vec<(usize, OwnedFd)>, sizes: &[usize]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    let (mut at, mut turn) = (0, 0);
    let mut fds = fds.into_iter().peekable();
    while at < bytes.len() {
        let mut end = (at + sizes[turn % sizes.len()].max(1)).min(bytes.len());
        turn += 1;
        let mut came = Vec::new();
        if let Some((place, fd)) = fds.next_if(|(place, _)| *place <= end) {
            end = place;
            came.push(fd);
        }
        let buffer = decoder.buffer();
        assert!(buffer.capacity() > buffer.len(), "no room to read into");
        buffer.extend_from_slice(&bytes[at..end]);
        decoder.appended(&mut came)?;
        at = end;
        while let Some(incoming) = decoder.next_frame()? {
            if let Incoming::Frame(frame) = incoming {
                frames.push(frame);
            }
        }
    }
    assert!(decoder.is_empty());
    Ok(frames)
}

fn header(serial: u32, kind: MessageType) -> Header {
    Header { kind, ..Header::call(Program::Remote, 66, serial) }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        sent in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), 0_usize..4, any::<bool>()), 1..20),
        sizes in prop::collection::vec(1_usize..200, 1..10),
    ) {
        let mut outbox = Outbox::default();
        for (serial, (body, fds, reply)) in sent.iter().enumerate() {
            let kind = if *reply { MessageType::Reply } else { MessageType::Call };
            let fds = (0..*fds).map(|_| descriptor()).collect();
            outbox.push(header(serial as u32, kind), body.clone(), fds).unwrap();
        }
        let (bytes, fds) = written(&mut outbox);
        prop_assert!(outbox.is_empty());
        let frames = decode(&bytes, fds, &sizes).unwrap();
        prop_assert_eq!(frames.len(), sent.len());
        for (serial, (frame, (body, fds, _))) in frames.iter().zip(&sent).enumerate() {
            prop_assert_eq!(frame.header.serial as usize, serial);
            prop_assert_eq!(frame.payload(), body.as_slice());
            prop_assert_eq!(&frame.body()[..], body.as_slice());
            prop_assert_eq!(frame.fds.len(), *fds);
            prop_assert_eq!(frame.header.kind.has_fds(), *fds > 0);
        }
    }

    #[test]
    fn garbage_is_refused_or_waited_for(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        length in prop::option::of(0_u32..100),
        sizes in prop::collection::vec(1_usize..50, 1..5),
    ) {
        let mut bytes = bytes;
        if let (Some(length), Some(start)) = (length, bytes.first_chunk_mut::<4>()) {
            *start = length.to_be_bytes();
        }
        let mut decoder = Decoder::default();
        let mut at = 0;
        for size in sizes.iter().cycle() {
            if at == bytes.len() {
                break;
            }
            let end = (at + size).min(bytes.len());
            decoder.buffer().extend_from_slice(&bytes[at..end]);
            at = end;
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }

    #[test]
    fn writes_of_any_size_lose_nothing(
        bodies in prop::collection::vec(0_usize..40_000, 1..8),
        sizes in prop::collection::vec(1_usize..30_000, 1..5),
    ) {
        let mut outbox = Outbox::default();
        let mut all = Vec::new();
        let mut turn = 0;
        for (serial, len) in bodies.iter().enumerate() {
            outbox.push(header(serial as u32, MessageType::Call), vec![serial as u8; *len], Vec::new()).unwrap();
            // Some of it is written before the next is pushed.
            if serial % 2 == 0 {
                write_some(&mut outbox, &mut all, sizes[turn % sizes.len()]);
                turn += 1;
            }
        }
        while !outbox.is_empty() {
            write_some(&mut outbox, &mut all, sizes[turn % sizes.len()]);
            turn += 1;
        }
        prop_assert_eq!(all.len(), bodies.iter().map(|it| it + 28).sum::<usize>());
        let frames = decode(&all, Vec::new(), &[70_000]).unwrap();
        for (serial, (frame, len)) in frames.iter().zip(&bodies).enumerate() {
            prop_assert!(frame.payload().len() == *len && frame.payload().iter().all(|it| *it == serial as u8));
        }
    }
}

fn write_some(outbox: &mut Outbox, all: &mut Vec<u8>, room: usize) {
    let before = outbox.len();
    let taken = outbox.with_next(|next| {
        let Next::Bytes(slices) = next else { panic!("no descriptors here") };
        let flat: Vec<u8> = slices.iter().flat_map(|it| it.iter().copied()).collect();
        let taken = room.min(flat.len());
        all.extend_from_slice(&flat[..taken]);
        taken
    });
    if let Some(taken) = taken {
        outbox.wrote(taken);
        assert_eq!(outbox.len(), before - taken);
    }
}

fn raw(length: u32, kind: i32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(header(1, MessageType::Call).encode());
    bytes[16..20].copy_from_slice(&kind.to_be_bytes());
    bytes.extend(rest);
    bytes
}

#[test]
fn lengths_out_of_bounds_end_the_connection() {
    for length in [0, 27, 33_554_437, u32::MAX] {
        let seen = decode(&raw(length, 0, &[]), Vec::new(), &[4]).unwrap_err();
        assert_eq!(seen, FrameError::Length(length));
    }
    // The largest one is waited for.
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(&raw(33_554_436, 0, &[]));
    assert!(decoder.next_frame().unwrap().is_none());
    assert!(decoder.buffer().capacity() < 4 * 1024 * 1024, "memory is reserved for bytes that have not come");
}

#[test]
fn counts_of_descriptors_are_checked() {
    let seen = decode(&raw(32, 4, &33_u32.to_be_bytes()), Vec::new(), &[100]).unwrap_err();
    assert_eq!(seen, FrameError::Count(33));
    assert_eq!(decode(&raw(28, 4, &[]), Vec::new(), &[100]).unwrap_err(), FrameError::Count(0));
    // None of them is fine.
    let frames = decode(&raw(32, 4, &0_u32.to_be_bytes()), Vec::new(), &[100]).unwrap();
    assert!(frames[0].fds.is_empty() && frames[0].payload().is_empty());
}

#[test]
fn descriptors_belong_to_their_own_bytes() {
    // Announced, but the byte comes alone.
    let mut bytes = raw(32, 4, &1_u32.to_be_bytes());
    bytes.push(0);
    assert_eq!(decode(&bytes, Vec::new(), &[100]).unwrap_err(), FrameError::Descriptors);
    // Together with the frame instead of behind it.
    let at_frame = vec![(32, descriptor())];
    assert_eq!(decode(&bytes, at_frame, &[100]).unwrap_err(), FrameError::Descriptors);
    // Not announced.
    let unasked = vec![(28, descriptor())];
    assert_eq!(decode(&raw(28, 0, &[]), unasked, &[100]).unwrap_err(), FrameError::Descriptors);
    // A crowd of them.
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(&[0]);
    let mut crowd: Vec<OwnedFd> = (0..200).map(|_| descriptor()).collect();
    let raw = crowd[0].as_raw_fd();
    assert!(raw > 0 && decoder.appended(&mut crowd).is_err());
}

#[test]
fn what_is_too_large_is_not_sent() {
    let mut outbox = Outbox::default();
    let call = header(1, MessageType::Call);
    assert!(outbox.push(call, vec![0; 33_554_409], Vec::new()).is_err());
    assert!(outbox.push(call, Vec::new(), (0..33).map(|_| descriptor()).collect()).is_err());
    assert!(outbox.push(header(1, MessageType::Stream), Vec::new(), vec![descriptor()]).is_err());
    assert!(outbox.is_empty());
    outbox.push(call, vec![0; 33_554_408], Vec::new()).unwrap();
    assert_eq!(outbox.len(), 33_554_436);
}

#[test]
fn unknown_kinds_and_states_keep_the_stream_in_step() {
    let mut bytes = raw(28, 9, &[]);
    bytes.extend(raw(32, 0, b"next"));
    let mut odd = header(5, MessageType::Reply).encode();
    odd[20..].copy_from_slice(&7_i32.to_be_bytes());
    bytes.extend(28_u32.to_be_bytes());
    bytes.extend(odd);
    let mut ok = header(6, MessageType::Stream);
    ok.status = Status::Continue;
    bytes.extend(28_u32.to_be_bytes());
    bytes.extend(ok.encode());
    let frames = decode(&bytes, Vec::new(), &[1]).unwrap();
    assert_eq!(frames.len(), 2);
    assert_eq!((frames[0].payload(), frames[1].header), (b"next".as_slice(), ok));
}
