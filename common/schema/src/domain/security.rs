//! Security labels, key wrapping and launch security of a domain.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

/// `<seclabel type='dynamic' model='dac' relabel='yes'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = SecLabel::form)]
pub struct SecLabel {
    #[xml(attr = "type", fault = BadValue)]
    pub kind: Option<SecLabelKind>,
    #[xml(attr)]
    pub model: Option<String>,
    #[xml(attr)]
    pub relabel: Option<YesNo>,
    #[xml(child)]
    pub label: Option<String>,
    #[xml(child, live)]
    pub imagelabel: Option<String>,
    #[xml(child)]
    pub baselabel: Option<String>,
}

impl SecLabel {
    /// A static label is given, and its model is named.
    fn form(node: Node<'_>) -> Result<(), Error> {
        if node.attr("type").is_some_and(|it| it.value() == "static") {
            if node.child("label").is_none() {
                return Err(node.missing("label"));
            }
            if node.attr("model").is_none() {
                return Err(node.missing("@model"));
            }
        }
        Ok(())
    }

    /// Fills in what the type implies. One that says nothing counts as not given: its type is taken away.
    pub(crate) fn complete(&mut self, node: Node<'_>) -> Result<(), Error> {
        let fault = |kind: ErrorKind, text: &str| Err(node.error(kind, text));
        let Some(kind) = self.kind else {
            if self.model.is_none() {
                return fault(ErrorKind::BadValue, "a security label has no model");
            }
            return Ok(());
        };
        let relabel = kind == SecLabelKind::Dynamic;
        match (kind, self.relabel) {
            (SecLabelKind::Dynamic, Some(YesNo::No)) => {
                return fault(ErrorKind::Unsupported, "a dynamic label needs relabel='yes'");
            }
            (SecLabelKind::None, Some(YesNo::Yes)) => {
                return fault(ErrorKind::Unsupported, "relabel='yes' is not for labels of type 'none'");
            }
            _ => {}
        }
        if kind == SecLabelKind::Static && self.label.is_none() {
            return fault(ErrorKind::BadValue, "a static label is not given");
        }
        match (&self.model, kind) {
            (Some(_), _) => {}
            // Whichever model the host has: known only where the guest is started.
            (None, SecLabelKind::Dynamic) if self.baselabel.is_none() => return Ok(()),
            (None, SecLabelKind::None) => return Ok(()),
            (None, _) => return fault(ErrorKind::BadValue, "a security label has no model"),
        }
        if kind == SecLabelKind::Dynamic && self.imagelabel.is_none() {
            self.label = None;
        }
        if kind != SecLabelKind::None {
            self.relabel.get_or_insert(YesNo::from(relabel));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum SecLabelKind {
    None,
    Dynamic,
    Static,
}

/// `<seclabel model='dac' relabel='no'>` of a device's source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct SourceSecLabel {
    #[xml(attr)]
    pub model: Option<String>,
    #[xml(attr)]
    pub relabel: Option<YesNo>,
    #[xml(attr, live)]
    pub labelskip: Option<YesNo>,
    #[xml(child)]
    pub label: Option<String>,
}

/// `<keywrap>` of s390.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct KeyWrap {
    #[xml(children = "cipher")]
    pub ciphers: Vec<Cipher>,
}

/// `<cipher name='aes' state='on'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Cipher {
    #[xml(attr)]
    pub name: CipherName,
    #[xml(attr)]
    pub state: OnOff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CipherName {
    Aes,
    Dea,
}

/// `<launchSecurity type='sev'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(tag = "type")]
pub enum LaunchSecurity {
    Sev {
        #[xml(attr = "kernelHashes")]
        kernel_hashes: Option<YesNo>,
        #[xml(child)]
        cbitpos: Option<u32>,
        #[xml(child = "reducedPhysBits")]
        reduced_phys_bits: Option<u32>,
        #[xml(child)]
        policy: SevPolicy,
        #[xml(child = "dhCert")]
        dh_cert: Option<String>,
        #[xml(child)]
        session: Option<String>,
    },
    SevSnp {
        #[xml(attr = "kernelHashes")]
        kernel_hashes: Option<YesNo>,
        #[xml(attr = "authorKey")]
        author_key: Option<YesNo>,
        #[xml(attr)]
        vcek: Option<YesNo>,
        #[xml(child)]
        cbitpos: Option<u32>,
        #[xml(child = "reducedPhysBits")]
        reduced_phys_bits: Option<u32>,
        #[xml(child)]
        policy: SnpPolicy,
        #[xml(child = "guestVisibleWorkarounds")]
        guest_visible_workarounds: Option<String>,
        #[xml(child = "idBlock")]
        id_block: Option<String>,
        #[xml(child = "idAuth")]
        id_auth: Option<String>,
        #[xml(child = "hostData")]
        host_data: Option<String>,
    },
    S390Pv,
}

/// The policy of a SEV guest: `0x0003`.
pub type SevPolicy = virtbus_xml::Hex<4>;
/// The policy of a SEV-SNP guest: `0x00030000`.
pub type SnpPolicy = virtbus_xml::Hex<8>;
