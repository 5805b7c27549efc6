//! `<encryption>`: how an image is encrypted and which secret opens it. Disks and volumes share it.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum};

/// `<encryption format='luks'>`, of disks and of volumes.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(open, check = Encryption::complete)]
pub struct Encryption {
    #[xml(attr, fault = Unsupported)]
    pub format: EncryptionFormat,
    #[xml(attr)]
    pub engine: Option<String>,
    #[xml(children = "secret")]
    pub secrets: Vec<EncryptionSecret>,
    /// How a new LUKS volume is encrypted.
    #[xml(child)]
    pub cipher: Option<EncryptionCipher>,
    /// How the initialisation vectors of a new LUKS volume are made.
    #[xml(child)]
    pub ivgen: Option<EncryptionIvGen>,
}

impl Encryption {
    fn complete(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.engine.as_ref().is_some_and(|it| !matches!(it.as_str(), "qemu" | "librbd")) {
            return Err(node.error(ErrorKind::BadValue, "the engine of an encryption is qemu or librbd"));
        }
        if self.ivgen.is_some() && self.cipher.is_none() {
            return Err(node.error(ErrorKind::BadValue, "<ivgen> needs a <cipher>"));
        }
        if !matches!(self.format, EncryptionFormat::Luks | EncryptionFormat::Luks2 | EncryptionFormat::LuksAny) {
            (self.cipher, self.ivgen) = (None, None);
        }
        Ok(())
    }
}

/// `<cipher name='aes' size='256' mode='cbc' hash='sha256'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct EncryptionCipher {
    #[xml(attr)]
    pub name: String,
    /// In bits.
    #[xml(attr)]
    pub size: u32,
    #[xml(attr)]
    pub mode: Option<String>,
    #[xml(attr)]
    pub hash: Option<String>,
}

/// `<ivgen name='plain64' hash='sha256'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct EncryptionIvGen {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub hash: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum EncryptionFormat {
    Default,
    Qcow,
    Luks,
    Luks2,
    LuksAny,
}

/// `<secret type='passphrase' uuid='...'/>`, or by its usage.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = EncryptionSecret::check)]
pub struct EncryptionSecret {
    #[xml(attr = "type")]
    pub kind: String,
    #[xml(attr)]
    pub uuid: Option<uuid::Uuid>,
    #[xml(attr)]
    pub usage: Option<String>,
}

impl EncryptionSecret {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.kind != "passphrase" {
            let message = format!("a secret of type \"{}\" does not open an encryption", self.kind);
            return Err(node.error(ErrorKind::Unsupported, message).with_hint("expected passphrase"));
        }
        if self.uuid.is_some() == self.usage.is_some() {
            return Err(node.error(ErrorKind::BadValue, "a secret is named by its uuid or its usage, one of them"));
        }
        Ok(())
    }
}
