//! `<hyperv>`: enlightenments for Windows guests.

use virtbus_xml::{Describe, Error, ErrorKind, Node, Occurs, OnOff, Texts, Writer, Xml, XmlEnum};

use super::RequiredState;

/// `<hyperv mode='custom'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hyperv {
    /// Who says which ones there are.
    pub mode: HypervMode,
    /// Which there are, where the document says so: `passthrough` means those of the host, and nothing else is read.
    pub parts: Enlightenments,
}

impl Xml for Hyperv {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let mode = node.attr("mode").map(|it| it.read()).transpose()?.unwrap_or_default();
        let parts =
            if mode == HypervMode::Passthrough { Enlightenments::default() } else { Enlightenments::read(node)? };
        Ok(Self { mode, parts })
    }

    fn examine(node: Node<'_>) -> Result<(), Error> {
        virtbus_xml::form::attr::<HypervMode>(node, &[], "mode", false, false, None)?;
        if node.attr("mode").is_some_and(|it| it.value() == "passthrough") {
            return Ok(());
        }
        Enlightenments::examine(node)
    }

    fn write_attrs(&self, w: &mut Writer) {
        w.attr("mode", &self.mode);
    }

    fn write_content(&self, w: &mut Writer) {
        w.keep_open();
        self.parts.write_content(w);
    }

    fn describe(to: &mut dyn Describe) {
        if to.times("@mode", Occurs::Maybe) > 0 {
            to.attr("mode", Texts::of::<HypervMode>());
        }
        Enlightenments::describe(to);
    }
}

/// The enlightenments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Enlightenments::check)]
pub struct Enlightenments {
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

impl Enlightenments {
    /// An enlightenment nobody knows is an error, unlike elsewhere.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        super::refuse_strangers(node)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, XmlEnum)]
pub enum HypervMode {
    #[default]
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
            None => Err(node.error(ErrorKind::BadValue, "it is on and has no 'retries'")),
            Some(retries) if retries < 0xfff => {
                Err(node.error(ErrorKind::BadValue, format!("{retries} retries are fewer than 4095")))
            }
            Some(_) => Ok(()),
        }
    }
}

/// `<stimer state='on'><direct state='on'/></stimer>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(before = needs_state, check = Stimer::check)]
pub struct Stimer {
    #[xml(attr, may)]
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
            None if self.state.is_on() => Err(node.error(ErrorKind::BadValue, "it is on and has no 'value'")),
            Some(value) if value.len() > 12 => Err(node.error(ErrorKind::BadValue, "longer than 12 characters")),
            Some(value) if value.contains(',') => Err(node.error(ErrorKind::BadValue, "a comma is not allowed")),
            _ => Ok(()),
        }?;
        if !self.state.is_on() {
            self.value = None;
        }
        Ok(())
    }
}

/// `<tlbflush state='on'><direct state='on'/><extended state='on'/></tlbflush>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(before = needs_state, check = TlbFlush::check)]
pub struct TlbFlush {
    #[xml(attr, may)]
    pub state: OnOff,
    #[xml(child)]
    pub direct: Option<RequiredState>,
    #[xml(child)]
    pub extended: Option<RequiredState>,
}

/// The schema does without it.
fn needs_state(node: Node<'_>) -> Result<(), Error> {
    match node.attr("state") {
        Some(_) => Ok(()),
        None => Err(node.error(ErrorKind::BadValue, "the state is missing")),
    }
}

impl TlbFlush {
    /// What is off, or belongs to what is off, goes without saying.
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        for part in [&mut self.direct, &mut self.extended] {
            *part = part.filter(|it| self.state.is_on() && it.state.is_on());
        }
        Ok(())
    }
}

impl Stimer {
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.direct = self.direct.filter(|it| self.state.is_on() && it.state.is_on());
        Ok(())
    }
}
