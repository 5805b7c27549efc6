//! `<video>`: graphics cards.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

use super::{Info, VirtioOptions};

/// `<video>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Video {
    #[xml(child, omit_empty)]
    pub driver: Option<VideoDriver>,
    /// Absent until the machine's default is filled in.
    #[xml(child)]
    pub model: Option<VideoModel>,
    #[xml(flatten)]
    pub info: Info,
}

/// `<driver name='vhostuser'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct VideoDriver {
    #[xml(flatten)]
    pub virtio: VirtioOptions,
    #[xml(attr)]
    pub name: Option<VideoBackend>,
    #[xml(attr = "vgaconf")]
    pub vga_conf: Option<VgaConf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum VideoBackend {
    Qemu,
    #[xml(name = "vhostuser")]
    VhostUser,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum VgaConf {
    Io,
    On,
    Off,
}

/// `<model type='virtio' heads='1' primary='yes'>`; sizes in KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(form = VideoModel::form)]
pub struct VideoModel {
    #[xml(attr = "type", default, form = crate::forms::not_default)]
    pub kind: VideoKind,
    #[xml(attr)]
    pub ram: Option<u32>,
    #[xml(attr)]
    pub vram: Option<u32>,
    #[xml(attr)]
    pub vram64: Option<u32>,
    #[xml(attr)]
    pub vgamem: Option<u32>,
    /// None goes without saying.
    #[xml(attr, when = is_some_head)]
    pub heads: Option<u32>,
    #[xml(attr)]
    pub primary: Option<YesNo>,
    #[xml(attr)]
    pub blob: Option<OnOff>,
    #[xml(child)]
    pub acceleration: Option<Acceleration>,
    #[xml(child)]
    pub resolution: Option<Resolution>,
}

fn is_some_head(heads: &Option<u32>, _: &virtbus_xml::FormatOptions) -> bool {
    heads.is_some_and(|it| it > 0)
}

impl VideoModel {
    /// The memories of QXL are of QXL alone.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let is_qxl = node.attr("type").is_some_and(|it| it.value() == "qxl");
        match ["ram", "vgamem", "vram64"].iter().find(|it| node.attr(it).is_some() && !is_qxl) {
            Some(stray) => Err(node.error(ErrorKind::Unknown, format!("{stray} is for type qxl"))),
            None if node.attr("type").is_none() => Err(node.missing("@type")),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, XmlEnum)]
pub enum VideoKind {
    /// Not chosen yet.
    #[default]
    Default,
    Vga,
    Cirrus,
    Vmvga,
    Xen,
    Vbox,
    Qxl,
    Parallels,
    Virtio,
    Gop,
    None,
    Bochs,
    Ramfb,
}

/// `<acceleration accel3d='yes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Acceleration {
    #[xml(attr)]
    pub accel2d: Option<YesNo>,
    #[xml(attr)]
    pub accel3d: Option<YesNo>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub rendernode: Option<String>,
}

/// `<resolution x='1920' y='1080'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Resolution {
    #[xml(attr)]
    pub x: u32,
    #[xml(attr)]
    pub y: u32,
}
