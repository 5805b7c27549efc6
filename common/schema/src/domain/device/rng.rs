//! `<rng>`: a source of random numbers for the guest.

use virtbus_xml::{Error, Node, Xml, XmlEnum};

use super::chardev::Chardev;
use super::{Info, VirtioOptions};

/// `<rng model='virtio'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Rng::check)]
pub struct Rng {
    #[xml(attr)]
    pub model: RngModel,
    #[xml(child)]
    pub rate: Option<RngRate>,
    #[xml(child)]
    pub backend: RngBackend,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
    #[xml(flatten)]
    pub info: Info,
}

impl Rng {
    /// No bytes at all is no limit.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.rate = self.rate.filter(|it| it.bytes > 0);
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum RngModel {
    Virtio,
    VirtioTransitional,
    VirtioNonTransitional,
}

/// `<rate bytes='1024' period='1000'/>`: no more bytes than these per period of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct RngRate {
    #[xml(attr, form = crate::forms::positive)]
    pub bytes: u32,
    #[xml(attr, form = crate::forms::positive)]
    pub period: Option<u32>,
}

/// `<backend model='random'>/dev/urandom</backend>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(tag = "model")]
#[allow(clippy::large_enum_variant)]
pub enum RngBackend {
    /// A file of the host.
    Random {
        #[xml(text, form = crate::forms::absolute_path)]
        path: Option<String>,
    },
    /// A daemon that speaks the EGD protocol.
    Egd(Chardev),
    /// QEMU itself.
    Builtin,
}
