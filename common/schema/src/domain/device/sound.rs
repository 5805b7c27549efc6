//! `<sound>`: sound cards.

use virtbus_xml::{Error, Node, Xml, XmlEnum, YesNo};

use super::{Info, VirtioOptions};

/// `<sound model='ich9'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = Sound::check)]
pub struct Sound {
    #[xml(attr)]
    pub model: SoundModel,
    #[xml(attr)]
    pub multichannel: Option<YesNo>,
    /// Of the virtio card.
    #[xml(attr, lenient, free, form = crate::forms::uint32)]
    pub streams: Option<u32>,
    #[xml(children = "codec")]
    pub codecs: Vec<SoundCodec>,
    /// The `<audio>` it plays to; absent means the first.
    #[xml(attr = "audio/@id", nonzero, free, required, form = crate::forms::uint8)]
    pub audio: Option<u32>,
    #[xml(flatten)]
    pub info: Info,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
}

impl Sound {
    /// What each model has: nobody asks the others for it.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.model != SoundModel::Usb {
            self.multichannel = None;
        }
        if !matches!(self.model, SoundModel::Ich6 | SoundModel::Ich9) {
            self.codecs.clear();
        }
        if self.model != SoundModel::Virtio {
            (self.streams, self.driver) = (None, None);
        } else if let Some(said) = node.attr("streams") {
            said.read::<u32>()?;
        }
        Ok(())
    }
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
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: SoundCodecKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SoundCodecKind {
    Duplex,
    Micro,
    Output,
}
