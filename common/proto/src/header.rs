//! The frame: a length word, a header of 24 bytes, a payload. What the payload holds is not known here.
//!
//! ```text
//! length program version procedure type serial status | [nfds] | payload
//! ```
//!
//! The length counts itself. Frames of the two `WithFds` types have a u32 count of descriptors before the payload;
//! that word is counted in the length, the descriptors' own bytes behind the frame are not.

/// Bytes of the length word in front of each frame.
pub const LENGTH_LEN: usize = 4;
/// Bytes of an encoded [`Header`].
pub const HEADER_LEN: usize = 24;
/// Longest frame, without its length word.
pub const MESSAGE_MAX: usize = 33_554_432;
/// Longest payload: [`MESSAGE_MAX`] without the header.
pub const PAYLOAD_MAX: usize = MESSAGE_MAX - HEADER_LEN;
/// Most bytes of a stream in one frame; every version of the reference accepts this many.
pub const STREAM_CHUNK_MAX: usize = 262_120;
/// Most file descriptors with one frame.
pub const FDS_MAX: u32 = 32;
/// The version that every program has.
pub const VERSION: u32 = 1;

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident: $repr:ty { $($(#[$vdoc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The number on the wire.
            pub const fn number(self) -> $repr {
                match self { $(Self::$variant => $value,)* }
            }
            /// The reverse of [`Self::number`]; `None` for a number that the protocol does not have.
            pub const fn from_number(number: $repr) -> Option<Self> {
                match number { $($value => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

wire_enum! {
    /// A numbered set of procedures.
    Program: u32 {
        /// All of the public API.
        Remote = 0x2000_8086,
        /// Calls that only QEMU has.
        Qemu = 0x2000_8087,
        /// Calls that only LXC has; named so that its frames can be refused by name.
        Lxc = 0x0006_8000,
        /// The daemon about itself, on the admin socket.
        Admin = 0x0690_0690,
        /// Ping and pong.
        Keepalive = 0x6b65_6570,
    }
}

wire_enum! {
    /// What a frame is.
    MessageType: i32 {
        /// Client to server: arguments.
        Call = 0,
        /// Server to client: a result, or an error by [`Status`].
        Reply = 1,
        /// Unasked: an event, a ping, a pong.
        Message = 2,
        /// A piece of a stream, either way.
        Stream = 3,
        /// [`MessageType::Call`] with file descriptors.
        CallWithFds = 4,
        /// [`MessageType::Reply`] with file descriptors.
        ReplyWithFds = 5,
        /// A hole of a sparse stream, either way.
        StreamHole = 6,
    }
}

impl MessageType {
    /// Whether a count of descriptors precedes the payload.
    pub const fn has_fds(self) -> bool {
        matches!(self, Self::CallWithFds | Self::ReplyWithFds)
    }
}

wire_enum! {
    /// How it went.
    Status: i32 {
        /// A call, a good reply, the end of a stream.
        Ok = 0,
        /// The payload is an [`crate::error::ErrorMessage`] (or nothing, when a client aborts a stream).
        Error = 1,
        /// More of the stream follows.
        Continue = 2,
    }
}

/// What stands before each payload.
///
/// A reply or a piece of a stream repeats program, version, procedure and serial of its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The program's number, known ([`Program`]) or not.
    pub program: u32,
    /// [`VERSION`] in every frame that can be answered with a result.
    pub version: u32,
    /// The procedure's number within the program.
    pub procedure: i32,
    /// What the frame is.
    pub kind: MessageType,
    /// The caller's own count of its calls, from 0.
    pub serial: u32,
    /// How it went.
    pub status: Status,
}

/// A header whose type or status the protocol does not have; the rest of it is kept for the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header with type {kind} and status {status}")]
pub struct HeaderError {
    /// As in [`Header`].
    pub program: u32,
    /// As in [`Header`].
    pub version: u32,
    /// As in [`Header`].
    pub procedure: i32,
    /// The type's number, known or not.
    pub kind: i32,
    /// As in [`Header`].
    pub serial: u32,
    /// The status' number, known or not.
    pub status: i32,
}

impl Header {
    /// A call of procedure `procedure` under `serial`.
    pub const fn call(program: Program, procedure: i32, serial: u32) -> Self {
        let (kind, status) = (MessageType::Call, Status::Ok);
        Self { program: program.number(), version: VERSION, procedure, kind, serial, status }
    }

    /// An event, a ping or a pong. The serial is 0: clients ignore it.
    pub const fn message(program: Program, procedure: i32) -> Self {
        let (kind, status) = (MessageType::Message, Status::Ok);
        Self { program: program.number(), version: VERSION, procedure, kind, serial: 0, status }
    }

    /// The header of a frame that answers, or belongs to the stream of, the call `self`.
    pub const fn answer(&self, kind: MessageType, status: Status) -> Self {
        let Self { program, version, procedure, serial, .. } = *self;
        Self { program, version, procedure, kind, serial, status }
    }

    /// The header as it stands on the wire.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let words = [
            self.program.to_be_bytes(),
            self.version.to_be_bytes(),
            self.procedure.to_be_bytes(),
            self.kind.number().to_be_bytes(),
            self.serial.to_be_bytes(),
            self.status.number().to_be_bytes(),
        ];
        let mut bytes = [0; HEADER_LEN];
        for (slot, byte) in bytes.iter_mut().zip(words.as_flattened()) {
            *slot = *byte;
        }
        bytes
    }

    /// The reverse of [`Header::encode`].
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, HeaderError> {
        let [p0, p1, p2, p3, v0, v1, v2, v3, n0, n1, n2, n3, k0, k1, k2, k3, s0, s1, s2, s3, t0, t1, t2, t3] = *bytes;
        let raw = HeaderError {
            program: u32::from_be_bytes([p0, p1, p2, p3]),
            version: u32::from_be_bytes([v0, v1, v2, v3]),
            procedure: i32::from_be_bytes([n0, n1, n2, n3]),
            kind: i32::from_be_bytes([k0, k1, k2, k3]),
            serial: u32::from_be_bytes([s0, s1, s2, s3]),
            status: i32::from_be_bytes([t0, t1, t2, t3]),
        };
        let HeaderError { program, version, procedure, serial, .. } = raw;
        let kind = MessageType::from_number(raw.kind).ok_or(raw)?;
        let status = Status::from_number(raw.status).ok_or(raw)?;
        Ok(Self { program, version, procedure, kind, serial, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let header = Header { status: Status::Continue, ..Header::call(Program::Remote, 273, 7) };
        let bytes = header.encode();
        assert_eq!(bytes[..12], [0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 1, 0x11]);
        assert_eq!(bytes[12..], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2]);
        assert_eq!(Header::decode(&bytes), Ok(header));
    }

    #[test]
    fn unknown_type_keeps_the_rest() {
        let mut bytes = Header::call(Program::Remote, 66, 3).encode();
        bytes[15] = 9;
        let seen = Header::decode(&bytes).unwrap_err();
        assert_eq!((seen.kind, seen.procedure, seen.serial), (9, 66, 3));
    }

    #[test]
    fn unknown_program_is_no_error_of_the_header() {
        let header = Header { program: 1, ..Header::call(Program::Remote, 66, 3) };
        assert_eq!(Header::decode(&header.encode()), Ok(header));
        assert_eq!(Program::from_number(1), None);
    }
}
