//! `<devices>`: one list per kind, in the order they are written. The registry at the end is the one list of device kinds.

use virtbus_xml::{Error, ErrorKind, Node, Xml};

pub mod address;
pub mod audio;
pub mod chardev;
pub mod controller;
pub mod disk;
pub mod filesystem;
pub mod graphics;
pub mod hostdev;
pub mod input;
pub mod interface;
pub mod memballoon;
pub mod memory;
pub mod redirected;
pub mod rng;
pub mod small;
pub mod sound;
pub mod tpm;
pub mod video;
pub mod watchdog;

pub use address::{Address, Alias, Boot, Info, PciAddress, Rom, RomInfo, VirtioOptions};
pub use audio::Audio;
pub use chardev::{Channel, Console, Parallel, Serial};
pub use controller::Controller;
pub use disk::Disk;
pub use filesystem::Filesystem;
pub use graphics::Graphics;
pub use hostdev::Hostdev;
pub use input::Input;
pub use interface::Interface;
pub use memballoon::Memballoon;
pub use memory::MemoryDevice;
pub use redirected::{RedirFilter, Redirdev, Smartcard};
pub use rng::Rng;
pub use small::{Crypto, Hub, Iommu, Lease, Panic, Pstore, Shmem, SpaprNvram, Vsock};
pub use sound::Sound;
pub use tpm::Tpm;
pub use video::Video;
pub use watchdog::Watchdog;

/// `<devices>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(open, form = Devices::form)]
pub struct Devices {
    /// The QEMU binary; absent means the host's default.
    #[xml(child, form = crate::forms::absolute)]
    pub emulator: Option<String>,
    #[xml(children = "disk")]
    pub disks: Vec<Disk>,
    #[xml(children = "controller")]
    pub controllers: Vec<Controller>,
    #[xml(children = "lease")]
    pub leases: Vec<Lease>,
    #[xml(children = "filesystem")]
    pub filesystems: Vec<Filesystem>,
    #[xml(children = "interface")]
    pub interfaces: Vec<Interface>,
    #[xml(children = "smartcard")]
    pub smartcards: Vec<Smartcard>,
    #[xml(children = "serial")]
    pub serials: Vec<Serial>,
    #[xml(children = "parallel")]
    pub parallels: Vec<Parallel>,
    #[xml(children = "console")]
    pub consoles: Vec<Console>,
    #[xml(children = "channel")]
    pub channels: Vec<Channel>,
    #[xml(children = "input")]
    pub inputs: Vec<Input>,
    #[xml(children = "tpm")]
    pub tpms: Vec<Tpm>,
    #[xml(children = "graphics")]
    pub graphics: Vec<Graphics>,
    #[xml(children = "sound")]
    pub sounds: Vec<Sound>,
    #[xml(children = "audio")]
    pub audios: Vec<Audio>,
    #[xml(children = "video")]
    pub videos: Vec<Video>,
    #[xml(children = "hostdev")]
    pub hostdevs: Vec<Hostdev>,
    #[xml(children = "redirdev")]
    pub redirdevs: Vec<Redirdev>,
    #[xml(child, omit_empty)]
    pub redirfilter: Option<RedirFilter>,
    #[xml(children = "hub")]
    pub hubs: Vec<Hub>,
    #[xml(children = "watchdog")]
    pub watchdogs: Vec<Watchdog>,
    #[xml(children = "memballoon")]
    pub memballoons: Vec<Memballoon>,
    #[xml(children = "rng")]
    pub rngs: Vec<Rng>,
    #[xml(child)]
    pub nvram: Option<SpaprNvram>,
    #[xml(children = "panic")]
    pub panics: Vec<Panic>,
    #[xml(children = "shmem")]
    pub shmems: Vec<Shmem>,
    #[xml(children = "memory")]
    pub memories: Vec<MemoryDevice>,
    #[xml(children = "crypto")]
    pub cryptos: Vec<Crypto>,
    #[xml(children = "iommu")]
    pub iommus: Vec<Iommu>,
    #[xml(children = "vsock")]
    pub vsocks: Vec<Vsock>,
    #[xml(children = "pstore")]
    pub pstores: Vec<Pstore>,
}

impl Devices {
    /// What a guest has one of at most.
    fn form(node: Node<'_>) -> Result<(), Error> {
        for name in ["memballoon", "iommu", "vsock", "pstore"] {
            if let Some(second) = node.elements().filter(|it| it.name() == name).nth(1) {
                return Err(second.error(ErrorKind::Unknown, "a guest has one at most"));
            }
        }
        Ok(())
    }

    /// Two devices cannot have one name.
    pub(super) fn check_aliases(&self, node: Node<'_>) -> Result<(), Error> {
        let mut seen = std::collections::BTreeSet::new();
        for device in self.placed() {
            // The first console may be the first serial port under another name.
            let Some(alias) = device.alias().as_ref().filter(|it| it.is_users() && device.tag() != "console") else {
                continue;
            };
            if !seen.insert(&alias.name) {
                return Err(node.error(ErrorKind::Unsupported, format!("two devices have the alias {}", alias.name)));
            }
        }
        Ok(())
    }

    /// One device of the host cannot be in a guest twice.
    pub(super) fn check_hostdevs(&self, node: Node<'_>) -> Result<(), Error> {
        use hostdev::HostSource;
        for (number, it) in self.hostdevs.iter().enumerate() {
            if matches!(&it.source, HostSource::Absent) || it.source == HostSource::Usb(hostdev::UsbSource::default()) {
                continue;
            }
            if let Some(first) = self.hostdevs.iter().take(number).position(|other| other.source == it.source) {
                let place = node.child("devices").and_then(|it| it.children("hostdev").nth(number));
                let message = format!("the device is also that of hostdev[{}]", first + 1);
                return Err(place.unwrap_or(node).error(ErrorKind::BadValue, message));
            }
        }
        Ok(())
    }

    /// Two disks cannot be one for the guest.
    pub(super) fn check_targets(&self, node: Node<'_>) -> Result<(), Error> {
        let mut seen = std::collections::BTreeMap::new();
        for (number, disk) in self.disks.iter().enumerate() {
            let Some(first) = seen.insert(disk.target.dev.as_str(), number) else { continue };
            let place = node.child("devices").and_then(|it| it.children("disk").nth(number));
            let message = format!("target '{}' is also that of disk[{}]", disk.target.dev, first + 1);
            return Err(place.unwrap_or(node).error(ErrorKind::BadValue, message));
        }
        Ok(())
    }

    /// How much memory the memory devices bring, in KiB.
    pub(super) fn plugged_memory_kib(&self) -> u64 {
        let sizes = self.memories.iter().map(|it| it.size().kib);
        sizes.fold(0, u64::saturating_add)
    }
}

/// A device with a place on a bus and a name in QEMU.
pub trait Placed {
    /// The element's name.
    fn tag(&self) -> &'static str;
    /// The name in QEMU.
    fn alias(&self) -> &Option<Alias>;
    /// The same, to be set.
    fn alias_mut(&mut self) -> &mut Option<Alias>;
    /// The place on a bus.
    fn address(&self) -> &Option<Address>;
    /// The same, to be set.
    fn address_mut(&mut self) -> &mut Option<Address>;
}

macro_rules! placed {
    ($($kind:ident $list:ident $tag:literal,)*) => {
        $(impl Placed for $kind {
            fn tag(&self) -> &'static str {
                $tag
            }
            fn alias(&self) -> &Option<Alias> {
                &self.info.alias
            }
            fn alias_mut(&mut self) -> &mut Option<Alias> {
                &mut self.info.alias
            }
            fn address(&self) -> &Option<Address> {
                &self.info.address
            }
            fn address_mut(&mut self) -> &mut Option<Address> {
                &mut self.info.address
            }
        })*

        impl Devices {
            /// All devices that have a place, in the order they are written.
            #[must_use]
            pub fn placed(&self) -> Vec<&dyn Placed> {
                let mut all: Vec<&dyn Placed> = Vec::new();
                $(all.extend(self.$list.iter().map(|it| it as &dyn Placed));)*
                all
            }

            /// The same, to be changed.
            #[must_use]
            pub fn placed_mut(&mut self) -> Vec<&mut dyn Placed> {
                let mut all: Vec<&mut dyn Placed> = Vec::new();
                $(all.extend(self.$list.iter_mut().map(|it| it as &mut dyn Placed));)*
                all
            }
        }
    };
}
placed! {
    Disk disks "disk",
    Controller controllers "controller",
    Interface interfaces "interface",
    Serial serials "serial",
    Parallel parallels "parallel",
    Console consoles "console",
    Channel channels "channel",
    Input inputs "input",
    Sound sounds "sound",
    Video videos "video",
    Watchdog watchdogs "watchdog",
    Memballoon memballoons "memballoon",
    Rng rngs "rng",
    MemoryDevice memories "memory",
    Filesystem filesystems "filesystem",
    Smartcard smartcards "smartcard",
    Tpm tpms "tpm",
    Hostdev hostdevs "hostdev",
    Redirdev redirdevs "redirdev",
    Hub hubs "hub",
    Panic panics "panic",
    Shmem shmems "shmem",
    Crypto cryptos "crypto",
    Iommu iommus "iommu",
    Vsock vsocks "vsock",
    Pstore pstores "pstore",
}

/// A kind of device: what it is called in a document.
pub trait Device: Xml {
    /// The element's name.
    const TAG: &'static str;
}

/// Calls a macro with the list of all device kinds: type, module, element name, list in [`Devices`].
#[macro_export]
macro_rules! for_each_device {
    ($call:ident) => {
        $call! {
            Disk disk "disk" disks,
            Controller controller "controller" controllers,
            Interface interface "interface" interfaces,
            Serial chardev "serial" serials,
            Parallel chardev "parallel" parallels,
            Console chardev "console" consoles,
            Channel chardev "channel" channels,
            Input input "input" inputs,
            Graphics graphics "graphics" graphics,
            Sound sound "sound" sounds,
            Audio audio "audio" audios,
            Video video "video" videos,
            Watchdog watchdog "watchdog" watchdogs,
            Memballoon memballoon "memballoon" memballoons,
            Rng rng "rng" rngs,
            MemoryDevice memory "memory" memories,
            Lease small "lease" leases,
            Filesystem filesystem "filesystem" filesystems,
            Smartcard redirected "smartcard" smartcards,
            Tpm tpm "tpm" tpms,
            Hostdev hostdev "hostdev" hostdevs,
            Redirdev redirected "redirdev" redirdevs,
            Hub small "hub" hubs,
            Panic small "panic" panics,
            Shmem small "shmem" shmems,
            Iommu small "iommu" iommus,
            Vsock small "vsock" vsocks,
            Crypto small "crypto" cryptos,
            Pstore small "pstore" pstores,
        }
    };
}

macro_rules! any_device {
    ($($kind:ident $module:ident $tag:literal $list:ident,)*) => {
        $(impl Device for $module::$kind {
            const TAG: &'static str = $tag;
        })*

        /// One device of any kind, as hot-plug takes it.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant)]
        pub enum AnyDevice {
            $(
                #[doc = concat!("`<", $tag, ">`")]
                $kind($module::$kind),
            )*
        }

        impl AnyDevice {
            /// The names of all device elements.
            pub const TAGS: &'static [&'static str] = &[$($tag),*];

            /// The element's name.
            #[must_use]
            pub const fn tag(&self) -> &'static str {
                match self { $(Self::$kind(_) => $tag),* }
            }

            /// Reads one device document.
            ///
            /// # Errors
            /// Malformed text, a root that is no device, or the first fault inside.
            pub fn parse(text: &str) -> Result<Self, virtbus_xml::Error> {
                let document = virtbus_xml::Document::parse(text)?;
                let root = document.root();
                match root.name() {
                    $($tag => Xml::read(root).map(Self::$kind),)*
                    other => Err(root.error(virtbus_xml::ErrorKind::WrongRoot, format!("'{other}' is no device"))),
                }
            }

            /// Writes the device as a document.
            #[must_use]
            pub fn format(&self, options: virtbus_xml::FormatOptions) -> String {
                match self { $(Self::$kind(it) => virtbus_xml::to_string(it, $tag, options)),* }
            }

            /// Adds the device to its list.
            pub fn add_to(self, devices: &mut Devices) {
                match self { $(Self::$kind(it) => devices.$list.push(it)),* }
            }
        }
    };
}
for_each_device!(any_device);
