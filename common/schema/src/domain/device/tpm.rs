//! `<tpm>`: trusted platform modules.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

use super::address::Info;

/// `<tpm model='tpm-crb'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = Tpm::check_backend)]
pub struct Tpm {
    /// Absent until the machine's default is filled in.
    #[xml(attr)]
    pub model: Option<TpmModel>,
    #[xml(child)]
    pub backend: TpmBackend,
    #[xml(flatten)]
    pub info: Info,
}

impl Tpm {
    fn check_backend(node: Node<'_>) -> Result<(), Error> {
        let count = node.elements().filter(|it| it.is("backend")).count();
        if count > 1 { Err(node.error(ErrorKind::BadValue, "a TPM has one backend")) } else { Ok(()) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum TpmModel {
    TpmTis,
    TpmCrb,
    TpmSpapr,
    SpaprTpmProxy,
}

/// `<backend type='emulator' version='2.0'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(tag = "type")]
pub enum TpmBackend {
    Passthrough {
        /// Said, but the chip knows better.
        #[xml(attr, lenient, when = never)]
        version: Option<TpmVersion>,
        #[xml(attr = "device/@path", form = crate::forms::line)]
        device: Option<String>,
    },
    Emulator(TpmEmulator),
    External {
        #[xml(attr, lenient, when = never)]
        version: Option<TpmVersion>,
        #[xml(child)]
        source: Option<TpmSocket>,
    },
}

/// What is read and held against its list, and not kept.
fn never<T>(_: &Option<T>, _: &virtbus_xml::FormatOptions) -> bool {
    false
}

/// A software TPM that the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = TpmEmulator::check)]
pub struct TpmEmulator {
    #[xml(attr)]
    pub version: Option<TpmVersion>,
    #[xml(attr)]
    pub persistent_state: Option<YesNo>,
    #[xml(attr, free, form = crate::forms::uint8)]
    pub debug: Option<u32>,
    #[xml(attr = "encryption/@secret")]
    pub encryption: Option<uuid::Uuid>,
    #[xml(child, omit_empty)]
    pub active_pcr_banks: Option<PcrBanks>,
    #[xml(child)]
    pub source: Option<TpmState>,
    #[xml(child)]
    pub profile: Option<TpmProfile>,
}

impl TpmEmulator {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.version == Some(TpmVersion::V1_2) && self.profile.is_some() {
            return Err(node.error(ErrorKind::BadValue, "a profile is for TPM 2.0"));
        }
        self.active_pcr_banks = self.active_pcr_banks.filter(|it| *it != PcrBanks::default());
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum TpmVersion {
    #[xml(name = "1.2")]
    V1_2,
    #[xml(name = "2.0")]
    V2_0,
}

/// `<active_pcr_banks><sha256/></active_pcr_banks>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct PcrBanks {
    #[xml(flag)]
    pub sha1: bool,
    #[xml(flag)]
    pub sha256: bool,
    #[xml(flag)]
    pub sha384: bool,
    #[xml(flag)]
    pub sha512: bool,
}

/// `<source type='file' path='/path'/>`: where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct TpmState {
    #[xml(attr = "type")]
    pub kind: TpmStateKind,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum TpmStateKind {
    File,
    Dir,
}

/// `<profile source='local:restricted' name='x' removeDisabled='check'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct TpmProfile {
    #[xml(attr, form = crate::forms::profile)]
    pub source: Option<String>,
    #[xml(attr = "removeDisabled")]
    pub remove_disabled: Option<String>,
    #[xml(attr, form = crate::forms::profile)]
    pub name: Option<String>,
}

/// `<source type='unix' mode='connect' path='/path'/>` of an external TPM.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct TpmSocket {
    #[xml(attr = "type")]
    pub kind: String,
    #[xml(attr)]
    pub mode: Option<String>,
    #[xml(attr)]
    pub path: Option<String>,
}
