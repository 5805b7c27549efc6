//! Secrets on their way to QEMU: what a guest's document asks for, and the object that carries a value.
//!
//! A value is encrypted with the guest's master key, which QEMU reads from a file only it may read: so nothing in a process
//! list or a log gives it away. Where values come from is not known here; whoever starts the guest hands them over.

use std::collections::HashMap;
use std::io::Read as _;

use aes::Aes256;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use virtbus_api::storage::SecretValue;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{Auth, BackingStore, DiskSource, Encryption, EncryptionSecret, Protocol};
use virtbus_schema::domain::device::hostdev::HostSource;
use virtbus_schema::domain::device::tpm::{TpmBackend, TpmEmulator};

use super::Part;
use super::props::props;

/// What a secret is for (virSecretUsageType).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretUse {
    /// The passphrase of a volume.
    Volume,
    /// A Ceph account.
    Ceph,
    /// An account at an iSCSI target, and of protocols that have no use of their own.
    Iscsi,
    /// The passphrase of a TPM's state.
    Vtpm,
}

impl SecretUse {
    /// The number clients know it by.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Volume => 1,
            Self::Ceph => 2,
            Self::Iscsi => 3,
            Self::Vtpm => 5,
        }
    }
}

/// A secret a document asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// By UUID.
    Uuid(uuid::Uuid),
    /// By what it is for.
    Usage(SecretUse, String),
}

impl Wanted {
    fn missing(&self) -> Error {
        let text = match self {
            Self::Uuid(uuid) => format!("no secret with matching uuid '{uuid}'"),
            Self::Usage(_, usage) => format!("no secret with matching usage '{usage}'"),
        };
        Error::new(ErrorCode::NoSecret, text)
    }
}

/// The values at hand, and the key they are encrypted with.
#[derive(Clone, Default)]
pub struct Secrets {
    key: [u8; 32],
    values: HashMap<Wanted, SecretValue>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("values", &self.values.keys()).finish_non_exhaustive()
    }
}

props! {
    struct Object {
        qom_type: &'static str,
        id: String,
        data: String,
        keyid: &'static str,
        iv: String,
        format: &'static str,
    }
}

impl Secrets {
    /// Values for a guest whose master key this is.
    #[must_use]
    pub fn new(key: [u8; 32], values: HashMap<Wanted, SecretValue>) -> Self {
        Self { key, values }
    }

    /// The object that hands QEMU the secret a document asks for.
    ///
    /// # Errors
    /// `NO_SECRET` when its value is not at hand.
    pub fn object(&self, id: &str, wanted: &Wanted) -> Result<Part> {
        let value = self.values.get(wanted).ok_or_else(|| wanted.missing())?;
        self.carry(id, value.expose())
    }

    /// The object that hands QEMU some bytes nobody else may see.
    ///
    /// # Errors
    /// `SYSTEM_ERROR` when the system has no random numbers.
    pub fn carry(&self, id: &str, value: &[u8]) -> Result<Part> {
        let mut iv = [0; 16];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut it| it.read_exact(&mut iv))
            .map_err(|error| Error::system("cannot read random numbers", &error))?;
        let data = cbc::Encryptor::<Aes256>::new(&self.key.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(value);
        Part::object(
            id,
            &Object {
                qom_type: "secret",
                id: id.to_owned(),
                data: STANDARD.encode(data),
                keyid: "masterKey0",
                iv: STANDARD.encode(iv),
                format: "base64",
            },
        )
    }
}

/// The secret of an account.
///
/// # Errors
/// `XML_ERROR` when the document names none.
pub(crate) fn of_account(auth: &Auth, protocol: Option<Protocol>) -> Result<Wanted> {
    let kind = if protocol == Some(Protocol::Rbd) { SecretUse::Ceph } else { SecretUse::Iscsi };
    named(auth.secret.uuid, auth.secret.usage.as_ref(), kind)
}

/// The secret of an encrypted image.
///
/// # Errors
/// As [`of_account`].
pub(crate) fn of_image(secret: &EncryptionSecret) -> Result<Wanted> {
    named(secret.uuid, secret.usage.as_ref(), SecretUse::Volume)
}

fn named(uuid: Option<uuid::Uuid>, usage: Option<&String>, kind: SecretUse) -> Result<Wanted> {
    match (uuid, usage) {
        (Some(uuid), _) => Ok(Wanted::Uuid(uuid)),
        (None, Some(usage)) => Ok(Wanted::Usage(kind, usage.clone())),
        (None, None) => Err(Error::xml("a secret is named neither by uuid nor by usage")),
    }
}

/// All secrets a guest asks for, with what each must be for.
#[must_use]
pub fn wanted(domain: &Domain) -> Vec<(Wanted, SecretUse)> {
    let mut found = Vec::new();
    for disk in &domain.devices.disks {
        account(disk.auth.as_ref(), disk.source.as_ref().and_then(|it| it.protocol), &mut found);
        passphrases(disk.encryption.as_ref(), &mut found);
        source(disk.source.as_ref(), &mut found);
        let mut below = disk.backing_store.as_ref();
        while let Some(BackingStore { source: image, below: next, .. }) = below {
            source(image.as_ref(), &mut found);
            below = next.as_deref();
        }
    }
    for hostdev in &domain.devices.hostdevs {
        if let HostSource::Scsi(it) = &hostdev.source {
            account(it.auth.as_ref(), Some(Protocol::Iscsi), &mut found);
        }
    }
    for tpm in &domain.devices.tpms {
        if let TpmBackend::Emulator(TpmEmulator { encryption: Some(uuid), .. }) = &tpm.backend {
            found.push((Wanted::Uuid(*uuid), SecretUse::Vtpm));
        }
    }
    found
}

fn source(it: Option<&DiskSource>, found: &mut Vec<(Wanted, SecretUse)>) {
    let Some(it) = it else { return };
    account(it.auth.as_ref(), it.protocol, found);
    passphrases(it.encryption.as_ref(), found);
    source(it.data_store.as_ref().and_then(|it| it.source.as_ref()), found);
}

fn account(auth: Option<&Auth>, protocol: Option<Protocol>, found: &mut Vec<(Wanted, SecretUse)>) {
    let kind = if protocol == Some(Protocol::Rbd) { SecretUse::Ceph } else { SecretUse::Iscsi };
    found.extend(auth.and_then(|it| of_account(it, protocol).ok()).map(|it| (it, kind)));
}

fn passphrases(encryption: Option<&Encryption>, found: &mut Vec<(Wanted, SecretUse)>) {
    let secrets = encryption.into_iter().flat_map(|it| &it.secrets);
    found.extend(secrets.filter_map(|it| of_image(it).ok()).map(|it| (it, SecretUse::Volume)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_carried_encrypted_and_a_missing_one_is_named() {
        let wanted = Wanted::Usage(SecretUse::Iscsi, "target".to_owned());
        let values = HashMap::from([(wanted.clone(), SecretValue::new(b"sesame".to_vec()))]);
        let secrets = Secrets::new([7; 32], values);
        let [option, json] = secrets.object("s0", &wanted).expect("at hand").argv();
        assert_eq!(option, "-object");
        assert!(json.starts_with(r#"{"qom-type":"secret","id":"s0","data":""#), "{json}");
        // One block of AES in base64.
        let data = json.split('"').nth(11).expect("the data");
        assert_eq!(data.len(), 24, "{json}");
        assert!(!json.contains("sesame") && !json.contains(&STANDARD.encode("sesame")));
        let error = secrets.object("s1", &Wanted::Uuid(uuid::Uuid::nil())).expect_err("not at hand");
        assert_eq!(error.code, ErrorCode::NoSecret);
    }
}
