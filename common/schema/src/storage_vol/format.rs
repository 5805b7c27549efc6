//! The formats of volumes, and which of them the pools of each kind have. Seen on the reference.

use virtbus_xml::{Node, Xml, XmlEnum};

use crate::storage_pool::PoolKind;

/// What `<format type='...'/>` of a volume can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum VolumeFormat {
    /// Nothing that has a name; of a partition, nothing at all.
    #[xml(name = "none")]
    Unnamed,
    Raw,
    Dir,
    Bochs,
    Cloop,
    Dmg,
    Iso,
    Vpc,
    Vdi,
    Fat,
    Vhd,
    Ploop,
    Cow,
    Qcow,
    Qcow2,
    Qed,
    Vmdk,
    // Partitions.
    Linux,
    Fat16,
    Fat32,
    LinuxSwap,
    LinuxLvm,
    LinuxRaid,
    Extended,
    // What a device of a SCSI or iSCSI pool carries.
    Unknown,
    Dos,
    Dvh,
    Gpt,
    Mac,
    Bsd,
    Pc98,
    Sun,
    Lvm2,
}

impl VolumeFormat {
    /// Whether qemu-img can base an image of this format on another.
    #[must_use]
    pub const fn has_backing(self) -> bool {
        matches!(self, Self::Cow | Self::Qcow | Self::Qcow2 | Self::Qed | Self::Vmdk)
    }
}

impl PoolKind {
    /// The formats that a volume can be asked to have, as pool capabilities list them. Empty: none is asked for.
    #[must_use]
    pub const fn volume_formats(self) -> &'static [VolumeFormat] {
        use VolumeFormat::*;
        match self {
            Self::Dir | Self::Fs | Self::Netfs | Self::Gluster | Self::Vstorage => {
                &[Unnamed, Raw, Dir, Bochs, Cloop, Dmg, Iso, Vpc, Vdi, Fat, Vhd, Ploop, Cow, Qcow, Qcow2, Qed, Vmdk]
            }
            Self::Disk => &[Unnamed, Linux, Fat16, Fat32, LinuxSwap, LinuxLvm, LinuxRaid, Extended],
            _ => &[],
        }
    }

    /// The format of a volume that says none.
    #[must_use]
    pub const fn default_volume_format(self) -> Option<VolumeFormat> {
        match self {
            Self::Dir | Self::Fs | Self::Netfs | Self::Gluster | Self::Vstorage | Self::Rbd => Some(VolumeFormat::Raw),
            Self::Disk => Some(VolumeFormat::Unnamed),
            _ => None,
        }
    }

    /// Whether a volume can be asked to have this format.
    #[must_use]
    pub fn takes_volume_format(self, format: VolumeFormat) -> bool {
        self.volume_formats().contains(&format) && (self == Self::Disk || format != VolumeFormat::Unnamed)
    }
}

/// `<format type='qcow2'/>` as it is written; without a type it counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(absent = FormatName::is_unsaid)]
pub struct FormatName {
    #[xml(attr = "type")]
    pub name: String,
}

impl FormatName {
    /// Which format it is; `None` for one that nobody knows, which a definition is refused for.
    #[must_use]
    pub fn known(&self) -> Option<VolumeFormat> {
        VolumeFormat::from_name(&self.name)
    }

    fn is_unsaid(node: Node<'_>) -> bool {
        node.attr("type").is_none_or(|it| it.value().is_empty())
    }
}

impl From<VolumeFormat> for FormatName {
    fn from(format: VolumeFormat) -> Self {
        Self { name: format.as_str().to_owned() }
    }
}
