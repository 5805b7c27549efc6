//! What is fuzzed: foreign bytes into each decoder. A panic is the fault looked for; so is a value that changes when it
//! goes out and comes in again. Used by the fuzzer and, with random input, by an ordinary test.

use bytes::BufMut as _;
use virtbus_host::image::{Header, ImageFormat};
use virtbus_proto::testing::{Shape, shapes};
use virtbus_qmp::codec::{Lines, Message};
use virtbus_rpc::frame::{Decoder, Incoming};
use virtbus_schema::{Domain, Network, NetworkPort, Secret, StoragePool, StorageVolume};
use virtbus_xml::{FormatOptions, Xml};

/// Frames, in pieces whose size the first byte gives: whatever the pieces, the same frames come out.
pub(crate) fn frame(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    let pieces = decoded(data.chunks(usize::from(*size).max(1)));
    let whole = decoded(std::iter::once(data));
    assert_eq!(pieces, whole, "the frames depend on how they arrive");
}

/// The frames' lengths, and whether the stream was refused.
fn decoded<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<usize>, bool) {
    let mut decoder = Decoder::default();
    let mut lengths = Vec::new();
    for piece in pieces {
        decoder.buffer().put_slice(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(Incoming::Frame(frame))) => lengths.push(frame.payload().len()),
                Ok(Some(Incoming::Unknown(_))) => lengths.push(usize::MAX),
                Ok(None) => break,
                Err(_) => return (lengths, true),
            }
        }
    }
    (lengths, false)
}

/// A payload, for the row and the direction that the first three bytes choose.
pub(crate) fn row(data: &[u8]) {
    let [high, low, direction, payload @ ..] = data else { return };
    let wanted = usize::from(u16::from_be_bytes([*high, *low]));
    let count = shapes().count();
    let Some(row) = shapes().nth(wanted % count) else { return };
    let shape = if direction % 2 == 0 { row.arguments } else { row.reply };
    stays(shape, payload, row.entry.name);
}

fn stays(shape: Shape, payload: &[u8], name: &str) {
    let Ok((text, bytes)) = (shape.recode)(payload) else { return };
    let (again, same) = (shape.recode)(&bytes).unwrap_or_else(|why| panic!("{name}: {text}: {why}"));
    assert!(text == again && bytes == same, "{name}: {text} became {again}");
}

/// A domain document: what we write is read as the same document.
pub(crate) fn xml(data: &[u8]) {
    document::<Domain>(data, Domain::ROOT);
}

/// The documents of networks, their ports, pools, volumes and secrets, by their first element.
pub(crate) fn documents(data: &[u8]) {
    document::<Network>(data, Network::ROOT);
    document::<NetworkPort>(data, NetworkPort::ROOT);
    document::<StoragePool>(data, StoragePool::ROOT);
    document::<StorageVolume>(data, StorageVolume::ROOT);
    document::<Secret>(data, Secret::ROOT);
}

fn document<T: Xml>(data: &[u8], root: &str) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(document) = virtbus_xml::from_str::<T>(text, root) else { return };
    let options = FormatOptions { secure: true, ..FormatOptions::default() };
    let first = virtbus_xml::to_string(&document, root, options);
    let again: T = virtbus_xml::from_str(&first, root).unwrap_or_else(|why| panic!("{why}\n{first}"));
    let second = virtbus_xml::to_string(&again, root, options);
    assert_eq!(first, second, "a document changes when it is read again");
}

/// The beginning of a disk image, which a guest may have written: every format takes it or leaves it.
pub(crate) fn image(data: &[u8]) {
    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
    drop(Header::detect(data, length));
    for name in ["raw", "iso", "vpc", "vdi", "ploop", "cow", "qcow", "qcow2", "qed", "vmdk", "vhdx"] {
        drop(ImageFormat::from_name(name).map(|format| Header::read(data, length, format)));
    }
}

/// What QEMU says on its monitor, in pieces whose size the first byte gives.
pub(crate) fn qmp(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    let mut lines = Lines::default();
    for piece in data.chunks(usize::from(*size).max(1)) {
        lines.push(piece);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => drop(Message::parse(line)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
