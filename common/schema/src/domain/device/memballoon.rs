//! `<memballoon>`: the device that takes memory back from the guest.

use virtbus_xml::{Error, Node, OnOff, Xml, XmlEnum};

use super::{Info, VirtioOptions};

/// `<memballoon model='virtio'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = Memballoon::check)]
pub struct Memballoon {
    #[xml(attr)]
    pub model: MemballoonModel,
    #[xml(attr)]
    pub autodeflate: Option<OnOff>,
    #[xml(attr = "freePageReporting")]
    pub free_page_reporting: Option<OnOff>,
    /// Seconds between two readings of the guest's figures.
    #[xml(attr = "stats/@period", form = crate::forms::positive)]
    pub stats_period: Option<u32>,
    #[xml(flatten)]
    pub info: Info,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
}

impl Memballoon {
    /// No balloon has nothing.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        if self.model == MemballoonModel::None {
            *self = Self { stats_period: self.stats_period, ..Self::new(MemballoonModel::None) };
        }
        Ok(())
    }

    /// A balloon of a model, as the daemon adds it.
    #[must_use]
    pub fn new(model: MemballoonModel) -> Self {
        Self {
            model,
            autodeflate: None,
            free_page_reporting: None,
            stats_period: None,
            info: Info::default(),
            driver: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum MemballoonModel {
    Virtio,
    Xen,
    None,
    VirtioTransitional,
    VirtioNonTransitional,
}
