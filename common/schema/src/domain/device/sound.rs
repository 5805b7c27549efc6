//! `<sound>`: sound cards.

use virtbus_xml::{Xml, XmlEnum, YesNo};

use super::{Info, VirtioOptions};

/// `<sound model='ich9'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Sound {
    #[xml(attr)]
    pub model: SoundModel,
    #[xml(attr)]
    pub multichannel: Option<YesNo>,
    #[xml(attr)]
    pub streams: Option<u32>,
    #[xml(children = "codec")]
    pub codecs: Vec<SoundCodec>,
    /// The `<audio>` it plays to; absent means the first.
    #[xml(attr = "audio/@id")]
    pub audio: Option<u32>,
    #[xml(flatten)]
    pub info: Info,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SoundModel {
    Sb16,
    Es1370,
    Pcspk,
    Ac97,
    Ich6,
    Ich9,
    Usb,
    Ich7,
    Virtio,
}

/// `<codec type='duplex'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct SoundCodec {
    #[xml(attr = "type")]
    pub kind: SoundCodecKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SoundCodecKind {
    Duplex,
    Micro,
    Output,
}
