//! `<video>`: graphics cards.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::device::video::{Acceleration, Video, VideoBackend, VideoDriver, VideoKind, VideoModel};
use virtbus_schema::xml::{OnOff, YesNo};

use super::address::{Place, Virtio, place, virtio};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};
use crate::process::helper::virtiofsd;

props! {
    struct Card {
        driver: &'static str,
        #[serde(flatten)]
        virtio: Virtio,
        id: String,
        #[serde(rename = "ram_size")]
        ram_size: Option<u64>,
        #[serde(rename = "vram_size")]
        vram_size: Option<u64>,
        #[serde(rename = "vram64_size_mb")]
        vram64_size_mb: Option<u32>,
        #[serde(rename = "vgamem_mb")]
        vgamem_mb: Option<u32>,
        vgamem: Option<u64>,
        #[serde(rename = "max_outputs")]
        max_outputs: Option<u32>,
        blob: Option<bool>,
        xres: Option<u32>,
        yres: Option<u32>,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Video {
    fn address(&self) -> AddressKind {
        AddressKind::Pci
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Video { driver, model, info } = self;
        let VideoModel { kind, ram, vram, vram64, vgamem, heads, primary, blob, acceleration, resolution } =
            model.as_ref().ok_or_else(|| Error::internal("the video device has no model yet"))?;
        let primary = *primary == Some(YesNo::Yes);
        if let Some(VideoDriver { name: Some(VideoBackend::VhostUser), .. }) = driver {
            if virtiofsd::described("gpu").is_none() {
                return Err(Error::new(ErrorCode::OperationFailed, "Unable to find a satisfying vhost-user-gpu"));
            }
            return Err(Error::unsupported_config("<driver name='vhostuser'> of <video> is not supported yet"));
        }
        if let Some(Acceleration { accel3d: Some(YesNo::Yes), .. }) = acceleration {
            return Err(Error::unsupported_config("3d acceleration is not supported by this QEMU binary"));
        }
        let name = match kind {
            VideoKind::None => return Ok(Vec::new()),
            VideoKind::Vga => "VGA",
            VideoKind::Cirrus => "cirrus-vga",
            VideoKind::Vmvga => "vmware-svga",
            VideoKind::Qxl if primary => "qxl-vga",
            VideoKind::Qxl => "qxl",
            VideoKind::Virtio if primary && cx.caps.has("virtio-vga") => "virtio-vga",
            VideoKind::Virtio => "virtio-gpu-pci",
            VideoKind::Bochs => "bochs-display",
            VideoKind::Ramfb => "ramfb",
            VideoKind::Default | VideoKind::Xen | VideoKind::Vbox | VideoKind::Parallels | VideoKind::Gop => {
                return Err(Error::unsupported_config(format!(
                    "domain configuration does not support video model '{kind}'"
                )));
            }
        };
        let id = alias::of(self)?;
        let mebibytes = |kib: &Option<u32>| kib.map(|it| it / 1024);
        let bytes = |kib: &Option<u32>| kib.map(|it| u64::from(it) * 1024);
        let mut card = Card {
            driver: name,
            virtio: virtio(driver.as_ref().map(|it| &it.virtio)),
            id: id.to_owned(),
            blob: blob.map(OnOff::is_on),
            xres: resolution.map(|it| it.x),
            yres: resolution.map(|it| it.y),
            ..Card::default()
        };
        match kind {
            VideoKind::Vga | VideoKind::Vmvga => card.vgamem_mb = mebibytes(vram),
            VideoKind::Bochs => card.vgamem = bytes(vram),
            VideoKind::Virtio => card.max_outputs = heads.filter(|it| *it > 0),
            VideoKind::Qxl => {
                (card.ram_size, card.vram_size) = (bytes(ram), bytes(vram));
                (card.vram64_size_mb, card.vgamem_mb) = (mebibytes(vram64), mebibytes(vgamem));
                card.max_outputs = heads.filter(|it| *it > 0);
            }
            _ => {}
        }
        card.place = place(info.address.as_ref(), info.acpi_index, cx)?;
        Ok(vec![Part::device(id, &card)?])
    }
}
