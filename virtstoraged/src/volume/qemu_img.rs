//! Images that qemu-img makes, converts and resizes: what it is told, and how passphrases reach it.
//!
//! A passphrase travels through a pipe, never through an argument, a file or the environment.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use virtbus_api::{Error, Result, SecretRef, storage::Secrets};
use virtbus_schema::storage_vol::{Encryption, EncryptionFormat, StorageVolume, VolumeFormat};

use super::Volume;
use crate::fault::{self, Faults as _};
use crate::tool::{LONG, Tool};

const PROGRAM: &str = "qemu-img";
/// The descriptors under which qemu-img finds passphrases.
const FIRST_SECRET: i32 = 10;
/// What fits into a pipe that nobody reads yet.
const LONGEST_SECRET: usize = 4096;
/// What the reference says of an encryption with none or several.
const ONE_SECRET: &str = "A single <secret type='passphrase'...> element is expected in encryption description";
/// `virSecretUsageType` of volumes.
const USAGE_VOLUME: i32 = 1;

/// An image to be made.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// What it is to be like.
    pub(crate) document: &'a StorageVolume,
    /// Where it is made.
    pub(crate) path: &'a Path,
    /// Where it will be; what errors name.
    pub(crate) shown: &'a Path,
    /// Whether its tables are written out at once.
    pub(crate) metadata: bool,
}

/// qemu-img's name of a format; what is no more than raw bytes with a name is raw.
fn driver(format: Option<VolumeFormat>, encryption: Option<&Encryption>) -> &'static str {
    match (format, encryption) {
        (Some(VolumeFormat::Raw) | None, Some(_)) => "luks",
        (None | Some(VolumeFormat::Iso), _) => VolumeFormat::Raw.as_str(),
        (Some(format), _) => format.as_str(),
    }
}

/// A value in a list of options: a comma in it is doubled.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Refuses encryption that cannot be made; the reference's codes, in its order: a secret that is named has to be there.
pub(crate) fn check_encryption(document: &StorageVolume, secrets: &dyn Secrets) -> Result<()> {
    let Some(encryption) = &document.target.encryption else { return Ok(()) };
    if !encryption.secrets.is_empty() {
        find_secret(secrets, encryption)?;
    }
    check_kind(document, encryption)
}

fn check_kind(document: &StorageVolume, encryption: &Encryption) -> Result<()> {
    let format = document.target.volume_format().unwrap_or(VolumeFormat::Raw);
    let luks = matches!(encryption.format, EncryptionFormat::Luks);
    let has_secret = matches!(encryption.secrets.as_slice(), [only] if only.kind == "passphrase");
    match format {
        VolumeFormat::Raw | VolumeFormat::Qcow2 if !has_secret => Err(fault::bad_argument(ONE_SECRET)),
        VolumeFormat::Raw | VolumeFormat::Qcow2 if luks => Ok(()),
        VolumeFormat::Qcow | VolumeFormat::Qcow2 if !luks => {
            let format = if format == VolumeFormat::Qcow { "qcow" } else { "qcow2" };
            Err(fault::unsupported(format!("creation of {format} encrypted image is not supported")))
        }
        VolumeFormat::Raw => {
            Err(fault::unsupported(format!("no encryption of format {} for raw volumes", encryption.format)))
        }
        other => Err(fault::unsupported(format!("volume encryption unsupported with format {other}"))),
    }
}

/// The secret that an image's encryption names.
fn find_secret(secrets: &dyn Secrets, encryption: &Encryption) -> Result<SecretRef> {
    let Some(wanted) = encryption.secrets.first() else {
        return Err(fault::bad_argument(ONE_SECRET));
    };
    match (wanted.uuid, &wanted.usage) {
        (Some(uuid), _) => secrets.lookup_secret(uuid),
        (None, Some(usage)) => secrets.lookup_secret_by_usage(USAGE_VOLUME, usage),
        (None, None) => Err(fault::bad_argument("the secret has neither a uuid nor a usage")),
    }
}

/// The passphrase of an image, as a descriptor to read it from.
fn passphrase(secrets: &dyn Secrets, encryption: &Encryption) -> Result<OwnedFd> {
    let found = find_secret(secrets, encryption)?;
    let value = secrets.secret_value_for_use(&found)?;
    if value.expose().len() > LONGEST_SECRET {
        return Err(fault::bad_argument(format!("a passphrase of more than {LONGEST_SECRET} bytes")));
    }
    let failed = |error: nix::Error| fault::system("cannot hand over a passphrase", &error.into());
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    nix::unistd::write(&write, value.expose()).map_err(failed)?;
    Ok(read)
}

/// Adds a passphrase under `id`.
fn with_secret(tool: Tool, secrets: &dyn Secrets, encryption: &Encryption, id: i32) -> Result<Tool> {
    let number = FIRST_SECRET + id;
    let fd = passphrase(secrets, encryption)?;
    Ok(tool.arg("--object").arg(format!("secret,id=sec{id},file=/dev/fd/{number}")).fd(fd, number))
}

/// The value of `-o`, empty where nothing is to be said.
fn options(document: &StorageVolume, metadata: bool) -> String {
    let target = &document.target;
    let mut all = Vec::new();
    if let (Some(backing), Some(_)) = (&document.backing_store, target.volume_format()) {
        let format = backing.format.as_ref().map_or("raw", |it| it.name.as_str());
        all.push(format!("backing_fmt={}", escape(format)));
    }
    if let Some(encryption) = &target.encryption {
        let prefix = if driver(target.volume_format(), Some(encryption)) == "luks" { "" } else { "encrypt." };
        if prefix.is_empty() {
            all.push("key-secret=sec0".to_owned());
        } else {
            all.push("encrypt.format=luks,encrypt.key-secret=sec0".to_owned());
        }
        all.extend(cipher(encryption, prefix));
    }
    if metadata {
        let full = document.allocation.is_some_and(|it| it.bytes >= document.capacity_bytes());
        all.push(format!("preallocation={}", if full { "falloc" } else { "metadata" }));
    }
    if target.nocow {
        all.push("nocow=on".to_owned());
    }
    if let Some(compat) = &target.compat {
        all.push(format!("compat={}", escape(compat)));
    }
    if let Some(size) = target.cluster_size {
        all.push(format!("cluster_size={}", size.bytes));
    }
    if let Some(features) = target.features {
        if features.lazy_refcounts {
            all.push("lazy_refcounts=on".to_owned());
        }
        if features.extended_l2 {
            all.push("extended_l2=on".to_owned());
        }
    }
    all.join(",")
}

fn cipher(encryption: &Encryption, prefix: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut put = |key: &str, value: &str| all.push(format!("{prefix}{key}={}", escape(value)));
    if let Some(cipher) = &encryption.cipher {
        put("cipher-alg", &format!("{}-{}", cipher.name, cipher.size));
        if let Some(mode) = &cipher.mode {
            put("cipher-mode", mode);
        }
        if let Some(hash) = &cipher.hash {
            put("hash-alg", hash);
        }
    }
    if let Some(ivgen) = &encryption.ivgen {
        put("ivgen-alg", &ivgen.name);
        if let Some(hash) = &ivgen.hash {
            put("ivgen-hash-alg", hash);
        }
    }
    all
}

/// An image as `--image-opts` says it.
fn image_options(path: &Path, format: Option<VolumeFormat>, encryption: Option<&Encryption>, secret: i32) -> String {
    let driver = driver(format, encryption);
    let mut all = format!("driver={driver},file.driver=file,file.filename={}", escape(&text(path)));
    match (driver, encryption) {
        ("luks", _) => all.push_str(&format!(",key-secret=sec{secret}")),
        (_, Some(_)) => all.push_str(&format!(",encrypt.format=luks,encrypt.key-secret=sec{secret}")),
        _ => {}
    }
    all
}

/// A size as qemu-img takes it; rounded up to a KiB.
fn kib(bytes: u64) -> String {
    format!("{}K", bytes.div_ceil(1024))
}

impl Wanted<'_> {
    fn renamed(&self, mut error: Error) -> Error {
        error.detail = error.detail.replace(&text(self.path), &text(self.shown));
        error
    }

    /// Makes an empty image.
    pub(crate) async fn create(&self, secrets: &Arc<dyn Secrets>) -> Result<()> {
        self.make(secrets, true).await
    }

    async fn make(&self, secrets: &Arc<dyn Secrets>, backed: bool) -> Result<()> {
        let document = self.document;
        let encryption = document.target.encryption.as_ref();
        let mut tool = Tool::new(PROGRAM).args(["create", "-f", driver(document.target.volume_format(), encryption)]);
        if let Some(encryption) = encryption {
            tool = with_secret(tool, secrets.as_ref(), encryption, 0)?;
        }
        if let Some(backing) = document.backing_store.as_ref().filter(|_| backed) {
            tool = tool.args(["-b", &backing.path]);
        }
        let options = options(document, self.metadata);
        if !options.is_empty() {
            tool = tool.args(["-o", &options]);
        }
        tool = tool.arg(self.path);
        // One of nothing is as large as what it is based on.
        if let Some(capacity) = document.capacity.filter(|it| it.bytes > 0 || document.backing_store.is_none()) {
            tool = tool.arg(kib(capacity.bytes));
        }
        tool.run(LONG).await.map(drop).map_err(|it| self.renamed(it))
    }

    /// Makes an image with the content of `source`, and gives it the capacity that is wanted if that is more.
    pub(crate) async fn convert(&self, source: &Volume, secrets: &Arc<dyn Secrets>) -> Result<()> {
        let (from, to) = (&source.document.target, &self.document.target);
        let mut tool = Tool::new(PROGRAM).arg("convert");
        if from.encryption.is_some() || to.encryption.is_some() {
            // With passphrases the target has to be there already, and both are described in full.
            self.make(secrets, true).await?;
            tool = tool.args(["-n", "--image-opts"]);
            let target = image_options(self.path, to.volume_format(), to.encryption.as_ref(), 0);
            for (id, encryption) in [(0, &to.encryption), (1, &from.encryption)] {
                if let Some(encryption) = encryption {
                    tool = with_secret(tool, secrets.as_ref(), encryption, id)?;
                }
            }
            let origin = image_options(source.path(), from.volume_format(), from.encryption.as_ref(), 1);
            tool = tool.arg("--target-image-opts").arg(origin).arg(target);
            return tool.run(LONG).await.map(drop).map_err(|it| self.renamed(it));
        }
        tool = tool.args(["-f", driver(from.volume_format(), None), "-O", driver(to.volume_format(), None)]);
        let mut options = options(self.document, self.metadata);
        if let Some(backing) = &self.document.backing_store {
            options = format!("backing_file={},{options}", escape(&backing.path));
        }
        if !options.is_empty() {
            tool = tool.args(["-o", &options]);
        }
        tool = tool.arg(source.path()).arg(self.path);
        tool.run(LONG).await.map_err(|it| self.renamed(it))?;
        let wanted = self.document.capacity_bytes();
        if wanted > source.capacity() {
            let format = driver(to.volume_format(), None);
            let tool = Tool::new(PROGRAM).args(["resize", "-f", format]).arg(self.path).arg(kib(wanted));
            tool.run(LONG).await.map_err(|it| self.renamed(it))?;
        }
        Ok(())
    }
}

/// Gives an image another capacity.
pub(crate) async fn resize(volume: &Volume, capacity: u64, secrets: &Arc<dyn Secrets>) -> Result<()> {
    let target = &volume.document.target;
    let mut tool = Tool::new(PROGRAM).arg("resize");
    if capacity < volume.capacity() {
        tool = tool.arg("--shrink");
    }
    match &target.encryption {
        Some(encryption) => {
            tool = with_secret(tool, secrets.as_ref(), encryption, 0)?;
            let image = image_options(volume.path(), target.volume_format(), Some(encryption), 0);
            tool = tool.arg("--image-opts").arg(image);
        }
        None => tool = tool.args(["-f", driver(target.volume_format(), None)]).arg(volume.path()),
    }
    // Rounded up to a sector, as an image's capacity is.
    tool.arg(capacity.next_multiple_of(512).to_string()).run(LONG).await.map(drop).map_err(Error::of_storage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(xml: &str) -> StorageVolume {
        StorageVolume::parse(&format!("<volume><name>v</name>{xml}</volume>")).expect("a volume")
    }

    #[test]
    fn what_qemu_img_is_told() {
        let plain = volume("<capacity>1</capacity><target><format type='qcow2'/></target>");
        assert_eq!(options(&plain, false), "");
        let all = volume(
            "<capacity>4096</capacity><allocation>0</allocation><target><format type='qcow2'/><compat>1.1</compat>\
             <nocow/><clusterSize unit='KiB'>128</clusterSize><features><lazy_refcounts/><extended_l2/></features>\
             </target><backingStore><path>/a,b</path><format type='raw'/></backingStore>",
        );
        assert_eq!(
            options(&all, true),
            "backing_fmt=raw,preallocation=metadata,nocow=on,compat=1.1,cluster_size=131072,lazy_refcounts=on,\
             extended_l2=on"
        );
        let full =
            volume("<capacity>4096</capacity><allocation>4096</allocation><target><format type='qcow2'/></target>");
        assert_eq!(options(&full, true), "preallocation=falloc");
        assert_eq!((kib(1), kib(2048)), ("1K".to_owned(), "2K".to_owned()));
        let options = image_options(Path::new("/p/a,b"), Some(VolumeFormat::Qcow2), None, 0);
        assert_eq!(options, "driver=qcow2,file.driver=file,file.filename=/p/a,,b");
    }

    #[test]
    fn encryption_that_cannot_be_made_is_refused() {
        let code = |xml: &str| {
            let document = volume(xml);
            let encryption = document.target.encryption.as_ref().expect("encrypted");
            check_kind(&document, encryption).err().map(|it| it.code.number())
        };
        let secret = "<secret type='passphrase' uuid='90d00000-0000-4000-8000-0000000000a1'/>";
        let with = |format: &str, how: &str, secret: &str| {
            format!("<target><format type='{format}'/><encryption format='{how}'>{secret}</encryption></target>")
        };
        assert_eq!(code(&with("qcow2", "luks", secret)), None);
        assert_eq!(code(&with("raw", "luks", secret)), None);
        assert_eq!(code(&with("raw", "luks", "")), Some(8));
        assert_eq!(code(&with("qcow2", "default", secret)), Some(67));
        assert_eq!(code(&with("vmdk", "luks", secret)), Some(67));
    }
}
