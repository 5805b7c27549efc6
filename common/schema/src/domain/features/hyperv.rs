//! `<hyperv>`: enlightenments for Windows guests.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum};

use super::RequiredState;

/// `<hyperv mode='custom'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Hyperv::check, open)]
pub struct Hyperv {
    #[xml(attr)]
    pub mode: Option<HypervMode>,
    #[xml(child)]
    pub relaxed: Option<RequiredState>,
    #[xml(child)]
    pub vapic: Option<RequiredState>,
    #[xml(child)]
    pub spinlocks: Option<Spinlocks>,
    #[xml(child)]
    pub vpindex: Option<RequiredState>,
    #[xml(child)]
    pub runtime: Option<RequiredState>,
    #[xml(child)]
    pub synic: Option<RequiredState>,
    #[xml(child)]
    pub stimer: Option<Stimer>,
    #[xml(child)]
    pub reset: Option<RequiredState>,
    #[xml(child)]
    pub vendor_id: Option<VendorId>,
    #[xml(child)]
    pub frequencies: Option<RequiredState>,
    #[xml(child)]
    pub reenlightenment: Option<RequiredState>,
    #[xml(child)]
    pub tlbflush: Option<TlbFlush>,
    #[xml(child)]
    pub ipi: Option<RequiredState>,
    #[xml(child)]
    pub evmcs: Option<RequiredState>,
    #[xml(child)]
    pub avic: Option<RequiredState>,
    #[xml(child)]
    pub emsr_bitmap: Option<RequiredState>,
    #[xml(child)]
    pub xmm_input: Option<RequiredState>,
}

impl Hyperv {
    /// An enlightenment nobody knows is an error, unlike elsewhere.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.mode = self.mode.or(Some(HypervMode::Custom));
        match node.elements().find(|it| !it.is_known()) {
            Some(unknown) => Err(unknown.error(ErrorKind::Unsupported, "unknown Hyper-V enlightenment")),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum HypervMode {
    Custom,
    Passthrough,
}

/// `<spinlocks state='on' retries='8191'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = Spinlocks::check)]
pub struct Spinlocks {
    #[xml(attr)]
    pub state: OnOff,
    /// Before the hypervisor is told; at least 4095.
    #[xml(attr)]
    pub retries: Option<u32>,
}

impl Spinlocks {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if !self.state.is_on() {
            return Ok(());
        }
        match self.retries {
            None => Err(node.missing("@retries")),
            Some(retries) if retries < 0xfff => {
                Err(node.error(ErrorKind::BadValue, format!("{retries} retries are fewer than 4095")))
            }
            Some(_) => Ok(()),
        }
    }
}

/// `<stimer state='on'><direct state='on'/></stimer>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Stimer {
    #[xml(attr)]
    pub state: OnOff,
    #[xml(child)]
    pub direct: Option<RequiredState>,
}

/// `<vendor_id state='on' value='KVM Hv'/>`: at most 12 characters.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = VendorId::check)]
pub struct VendorId {
    #[xml(attr)]
    pub state: OnOff,
    #[xml(attr, form = crate::forms::hyperv_vendor)]
    pub value: Option<String>,
}

impl VendorId {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match &self.value {
            None if self.state.is_on() => Err(node.missing("@value")),
            Some(value) if value.len() > 12 => Err(node.error(ErrorKind::BadValue, "longer than 12 characters")),
            Some(value) if value.contains(',') => Err(node.error(ErrorKind::BadValue, "a comma is not allowed")),
            _ => Ok(()),
        }
    }
}

/// `<tlbflush state='on'><direct state='on'/><extended state='on'/></tlbflush>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct TlbFlush {
    #[xml(attr)]
    pub state: OnOff,
    #[xml(child)]
    pub direct: Option<RequiredState>,
    #[xml(child)]
    pub extended: Option<RequiredState>,
}
