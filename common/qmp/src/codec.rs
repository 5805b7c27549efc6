//! QMP's frames: one JSON object a line from QEMU, one JSON object a command to it.
//!
//! QEMU is not trusted: a line is bounded, anything that is no QMP message is an error, and nothing is interpreted beyond
//! the envelope. What a reply or an event means is said in `commands` and `events`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of the longest line taken from QEMU. The largest honest ones are schemas (a quarter of a MiB), block graphs with
/// hundreds of nodes and text of the human monitor: a few MiB.
pub const LONGEST_LINE: usize = 64 << 20;

/// Bytes of the longest event: honest ones stay far below a page.
pub const LONGEST_EVENT: usize = 256 << 10;

/// Why QEMU's bytes are not QMP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A line does not end.
    #[error("a line of more than {LONGEST_LINE} bytes")]
    TooLong,
    /// A line is not a QMP message.
    #[error("not a QMP message: {what}: {}", .line)]
    Malformed {
        /// What is wrong.
        what: String,
        /// The beginning of the line.
        line: String,
    },
}

/// Cuts a stream of bytes into lines, whatever the pieces it comes in.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the line to be given next begins.
    begin: usize,
    /// Up to where no line end was found.
    searched: usize,
}

impl Lines {
    /// The buffer, with room at its end to read into. Bytes given out earlier are let go of.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.begin > 0 {
            self.buffer.drain(..self.begin);
            self.searched = self.searched.saturating_sub(self.begin);
            self.begin = 0;
        }
        // One large reply must not hold its memory for the life of a guest.
        if self.buffer.is_empty() && self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(8 << 10);
        &mut self.buffer
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// The next whole line, without its end; empty lines are skipped.
    ///
    /// # Errors
    /// When a line has grown beyond [`LONGEST_LINE`].
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, CodecError> {
        loop {
            let begin = self.begin;
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = unseen.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return if self.buffer.len() - begin > LONGEST_LINE { Err(CodecError::TooLong) } else { Ok(None) };
            };
            let end = self.searched + at;
            self.searched = end + 1;
            self.begin = end + 1;
            let line = self.buffer.get(begin..end).unwrap_or_default().trim_ascii();
            if line.len() > LONGEST_LINE {
                return Err(CodecError::TooLong);
            }
            if !line.is_empty() {
                // Borrowed anew: the borrow above ends within the loop.
                return Ok(Some(self.buffer.get(begin..end).unwrap_or_default().trim_ascii()));
            }
        }
    }
}

/// A message from QEMU.
#[derive(Debug)]
pub enum Message {
    /// The first line of a connection.
    Greeting(Greeting),
    /// A command's result.
    Return {
        /// The command's id, if it is one of ours.
        id: Option<u64>,
        /// The result.
        value: Box<RawValue>,
    },
    /// A command's failure.
    Error {
        /// The command's id; none when QEMU could not read the command.
        id: Option<u64>,
        /// QEMU's words.
        error: QmpError,
    },
    /// Something happened.
    Event(RawEvent),
}

/// An error as QEMU words it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{desc}")]
pub struct QmpError {
    /// `GenericError`, `CommandNotFound`, `DeviceNotActive`, `DeviceNotFound`, `KVMMissingCap`.
    pub class: String,
    /// A sentence.
    pub desc: String,
}

impl QmpError {
    /// Whether QEMU does not know the command.
    pub fn is_unknown_command(&self) -> bool {
        self.class == "CommandNotFound"
    }

    /// Whether the device asked for does not exist.
    pub fn is_unknown_device(&self) -> bool {
        self.class == "DeviceNotFound"
    }
}

/// QEMU's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Version {
    /// 10 of 10.0.2.
    pub major: u32,
    /// 0 of 10.0.2.
    pub minor: u32,
    /// 2 of 10.0.2.
    pub micro: u32,
}

/// QEMU's version and the distributor's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VersionInfo {
    /// The version.
    pub qemu: Version,
    /// The package, often empty.
    #[serde(default)]
    pub package: String,
}

/// The first line of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Greeting {
    /// The version.
    pub version: VersionInfo,
    /// Capabilities that may be negotiated, such as `oob`.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// An event's envelope.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// Such as `SHUTDOWN`.
    pub name: String,
    /// When, by QEMU's clock.
    pub timestamp: Timestamp,
    /// Its data as JSON text; `None` where it has none.
    pub data: Option<Box<RawValue>>,
}

/// QEMU's wall clock; -1 in both where the host's clock failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And microseconds.
    pub microseconds: i64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    #[serde(borrow, default, rename = "return", deserialize_with = "present")]
    value: Option<&'a RawValue>,
    error: Option<QmpError>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    timestamp: Option<Timestamp>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// A value that is there, be it `null`: that is an answer too.
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Message {
    /// Reads one line.
    ///
    /// # Errors
    /// When it is not a QMP message.
    pub fn parse(line: &[u8]) -> Result<Self, CodecError> {
        let malformed = |what: String| {
            let begin = line.get(..200).unwrap_or(line);
            CodecError::Malformed { what, line: String::from_utf8_lossy(begin).escape_debug().to_string() }
        };
        // QEMU escapes what is not ASCII, but guards do not rely on it.
        let text = std::str::from_utf8(line).map_err(|_| malformed("not UTF-8".to_owned()))?;
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let id = envelope.id.and_then(|id| id.get().parse().ok());
        match envelope {
            Envelope { greeting: Some(greeting), .. } => Ok(Self::Greeting(greeting)),
            Envelope { error: Some(error), .. } => Ok(Self::Error { id, error }),
            Envelope { value: Some(value), .. } => Ok(Self::Return { id, value: value.to_owned() }),
            Envelope { event: Some(name), timestamp, data, .. } => {
                if line.len() > LONGEST_EVENT {
                    return Err(malformed("an event of unheard-of length".to_owned()));
                }
                let timestamp = timestamp.unwrap_or_default();
                Ok(Self::Event(RawEvent { name: name.into_owned(), timestamp, data: data.map(ToOwned::to_owned) }))
            }
            Envelope { .. } => Err(malformed("neither greeting, return, error nor event".to_owned())),
        }
    }
}

/// The text of a command. Arguments that serialise to nothing, `null` or `{}` are left out: QEMU reads its monitor byte by
/// byte, so each byte counts.
///
/// # Errors
/// When the arguments cannot be written as JSON.
pub fn encode(id: u64, name: &str, arguments: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let arguments = serde_json::to_string(arguments)?;
    let mut text = String::with_capacity(arguments.len() + name.len() + 48);
    text.push_str("{\"execute\":");
    text.push_str(&serde_json::to_string(name)?);
    if arguments != "null" && arguments != "{}" {
        text.push_str(",\"arguments\":");
        text.push_str(&arguments);
    }
    text.push_str(",\"id\":");
    text.push_str(&id.to_string());
    text.push_str("}\n");
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests;
