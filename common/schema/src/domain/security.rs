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
    const NOTHING: Self =
        Self { kind: None, model: None, relabel: None, label: None, imagelabel: None, baselabel: None };

    /// A static label is given, one without a type says its model alone, and what contradicts the type is not there.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").map(|it| it.value());
        let relabel = node.attr("relabel").map(|it| it.value());
        let stray = match (kind, relabel) {
            (Some("static"), _) if node.child("label").is_none() => return Err(node.missing("label")),
            (Some("static"), _) => node.child("baselabel").map(|_| "baselabel"),
            (Some("dynamic") | None, Some("no")) | (Some("none"), Some("yes")) => Some("@relabel"),
            (Some("none") | None, _) => ["label", "baselabel"].into_iter().find(|it| node.child(it).is_some()),
            _ => None,
        };
        match stray {
            Some(stray) => Err(node.error(ErrorKind::Unknown, format!("{stray} does not fit the type"))),
            None => Ok(()),
        }
    }

    /// Whether what it is about may be labelled.
    #[must_use]
    pub fn relabels(&self) -> bool {
        self.kind != Some(SecLabelKind::None) && self.relabel != Some(YesNo::No)
    }

    /// Fills in what the type implies. One that says nothing counts as not given: its type is taken away.
    pub(crate) fn complete(&mut self, node: Node<'_>) -> Result<(), Error> {
        let fault = |kind: ErrorKind, text: &str| Err(node.error(kind, text));
        if self.model.as_deref() == Some("none") && self.kind.is_none() {
            self.kind = Some(SecLabelKind::None);
        }
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
        if self.model.as_deref() == Some("none") {
            // The model that labels nothing.
            let model = self.model.take();
            *self = Self { kind: Some(SecLabelKind::None), model, ..Self::NOTHING };
            return Ok(());
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
        if kind != SecLabelKind::Dynamic {
            self.baselabel = None;
        }
        if kind == SecLabelKind::None {
            self.label = None;
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
#[xml(check = SourceSecLabel::check, form = SourceSecLabel::form)]
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

impl SourceSecLabel {
    /// It says one thing: not to label, how to label, or that labelling was passed over.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let attr = |name| node.attr(name).map(|it| it.value().to_owned());
        let (relabel, skipped) = (attr("relabel"), attr("labelskip"));
        let label = node.child("label").is_some();
        let fits = match (relabel.as_deref(), skipped.as_deref(), label) {
            (Some("no"), None, false) | (None, Some("yes"), false) | (Some("yes") | None, None, true) => true,
            // Whether the value is one of the list is told elsewhere.
            (Some(value), None, _) => !matches!(value, "yes" | "no"),
            _ => false,
        };
        if fits { Ok(()) } else { Err(node.error(ErrorKind::Unknown, "relabel='no', labelskip='yes' or a label")) }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.label = self.label.take().filter(|it| !it.is_empty());
        match (self.relabel, &self.label) {
            (Some(YesNo::Yes), None) => Err(node.error(ErrorKind::BadValue, "relabel='yes' needs a label")),
            (Some(YesNo::No), Some(_)) => Err(node.error(ErrorKind::BadValue, "relabel='no' takes no label")),
            (None, Some(_)) => {
                self.relabel = Some(YesNo::Yes);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Those that say anything; what was passed over at a start is not the document's.
    ///
    /// # Errors
    /// Two are of one model.
    pub(crate) fn settle(all: &mut Vec<Self>, node: Node<'_>) -> Result<(), Error> {
        let mut seen = std::collections::BTreeSet::new();
        for model in all.iter().filter_map(|it| it.model.as_deref()) {
            if !seen.insert(model) {
                return Err(node.error(ErrorKind::Conflict, format!("two labels of model {model}")));
            }
        }
        all.retain(|it| it.relabel.is_some());
        Ok(())
    }
}

/// `<keywrap>` of s390.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = KeyWrap::check, form = KeyWrap::form)]
pub struct KeyWrap {
    #[xml(children = "cipher")]
    pub ciphers: Vec<Cipher>,
}

impl KeyWrap {
    fn form(node: Node<'_>) -> Result<(), Error> {
        if node.child("cipher").is_some() { Ok(()) } else { Err(node.missing("cipher")) }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let twice = |name: CipherName| self.ciphers.iter().filter(|it| it.name == name).count() > 1;
        match [CipherName::Aes, CipherName::Dea].into_iter().find(|it| twice(*it)) {
            Some(name) => Err(node.error(ErrorKind::Internal, format!("cipher {name} is given twice"))),
            None => Ok(()),
        }
    }
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
