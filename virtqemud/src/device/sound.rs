//! `<sound>`: sound cards and, for Intel HD Audio, what is plugged into them.

use virtbus_api::Result;
use virtbus_schema::domain::device::sound::{Sound, SoundCodec, SoundCodecKind, SoundModel};
use virtbus_schema::xml::YesNo;

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Card {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        id: String,
        audiodev: Option<String>,
        multi: Option<bool>,
        streams: Option<u32>,
        #[serde(flatten)]
        place: Place,
    }

    struct Codec { driver: &'static str, id: String, bus: String, cad: usize, audiodev: Option<String> }
}

impl QemuDevice for Sound {
    fn address(&self) -> AddressKind {
        match self.model {
            SoundModel::Usb => AddressKind::Usb,
            SoundModel::Sb16 | SoundModel::Pcspk => AddressKind::Isa,
            _ => AddressKind::Pci,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Sound { model, multichannel, streams, codecs, audio, info, driver } = self;
        let id = alias::of(self)?;
        let back_end = audio.or_else(|| cx.domain.devices.audios.first().map(|it| it.id));
        let audiodev = back_end.map(|id| format!("audio{id}"));
        let (name, has_codecs) = match model {
            // The speaker is an option of the machine.
            SoundModel::Pcspk => return Ok(Vec::new()),
            SoundModel::Sb16 => ("sb16", false),
            SoundModel::Es1370 => ("ES1370", false),
            SoundModel::Ac97 => ("AC97", false),
            SoundModel::Ich6 => ("intel-hda", true),
            SoundModel::Ich7 => ("ich7-intel-hda", true),
            SoundModel::Ich9 => ("ich9-intel-hda", true),
            SoundModel::Usb => ("usb-audio", false),
            SoundModel::Virtio => ("virtio-sound-pci", false),
        };
        let card = Card {
            driver: if *model == SoundModel::Virtio {
                virtio_device("virtio-sound", "virtio", info.address.as_ref())?
            } else {
                name.to_owned()
            },
            virtio: virtio(driver.as_ref()),
            id: id.to_owned(),
            audiodev: audiodev.clone().filter(|_| !has_codecs),
            multi: multichannel.map(YesNo::is_on),
            streams: *streams,
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        let mut parts = vec![Part::device(id, &card)?];
        if has_codecs {
            // A card without a codec makes no sound.
            let duplex = [SoundCodec { kind: SoundCodecKind::Duplex }];
            let codecs = if codecs.is_empty() { &duplex } else { codecs.as_slice() };
            for (cad, codec) in codecs.iter().enumerate() {
                let driver = match codec.kind {
                    SoundCodecKind::Duplex => "hda-duplex",
                    SoundCodecKind::Micro => "hda-micro",
                    SoundCodecKind::Output => "hda-output",
                };
                let name = format!("{id}-codec{cad}");
                let codec = Codec { driver, id: name.clone(), bus: format!("{id}.0"), cad, audiodev: audiodev.clone() };
                parts.push(Part::device(name, &codec)?);
            }
        }
        Ok(parts)
    }
}
