//! Secrets on disk, in libvirt's layout: `UUID.xml` is the document and nothing else, `UUID.base64` the value, both readable
//! for their owner alone. All of it blocks.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use uuid::Uuid;
use virtbus_api::{Error, ErrorDomain, Result, storage::SecretValue};
use virtbus_schema::{FormatOptions, Secret};
use virtbus_store::{Definitions, Durability};
use zeroize::Zeroizing;

use super::{LONGEST_VALUE, registry::Kept};

/// The longest file that can hold a value: four letters for three bytes, and room for line ends.
const LONGEST_FILE: usize = LONGEST_VALUE.div_ceil(3) * 4 + 4096;

/// Where they lie.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    definitions: Definitions,
}

impl Files {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { definitions: Definitions::new(&directory, "virsh secret-define"), directory }
    }

    fn value_path(&self, uuid: Uuid) -> PathBuf {
        self.directory.join(format!("{uuid}.base64"))
    }

    /// All secrets that can be understood; the others are named in the log.
    ///
    /// # Errors
    /// When the directory exists and cannot be listed.
    pub(super) fn load(&self) -> Result<Vec<Kept>> {
        self.sweep();
        let loaded = self.definitions.load(|text| {
            let document = Secret::parse(text).map_err(|fault| fault.to_string())?;
            let uuid = document.uuid.ok_or_else(|| "it has no UUID".to_owned())?;
            Ok::<_, String>((uuid.to_string(), (uuid, document)))
        });
        let loaded = loaded.map_err(|it| unsaved(&it))?;
        for broken in loaded.broken {
            tracing::error!(path = %broken.path.display(), "a secret is left out: {}", broken.reason);
        }
        let with_value = |(uuid, document): (Uuid, Secret)| {
            let path = self.value_path(uuid);
            let value = value_of(&path).unwrap_or_else(|error| {
                tracing::error!(path = %path.display(), "a secret's value is left out: {error}");
                None
            });
            Kept { uuid, document: Arc::new(document), value }
        };
        Ok(loaded.definitions.into_iter().map(|it| with_value(it.document)).collect())
    }

    /// Removes what a daemon was writing when it was killed: it never came to count, and may hold a value.
    fn sweep(&self) {
        for path in std::fs::read_dir(&self.directory).into_iter().flatten().flatten().map(|it| it.path()) {
            let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
            if !name.ends_with(".base64.new") && !name.ends_with(".xml.new") {
                continue;
            }
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), "what is left of a secret cannot be removed: {error}");
            }
        }
    }

    /// Writes a document; when this returns it survives a crash of the host.
    pub(super) fn save(&self, uuid: Uuid, document: &Secret) -> Result<()> {
        let text = document.format(FormatOptions::default());
        self.replace(&self.definitions.path(&uuid.to_string()), text.as_bytes())
    }

    /// Writes a value; when this returns it survives a crash of the host.
    pub(super) fn save_value(&self, uuid: Uuid, value: &SecretValue) -> Result<()> {
        // With all room it needs, so that no piece of it stays behind in memory.
        let mut text = Zeroizing::new(String::with_capacity(LONGEST_FILE));
        STANDARD.encode_string(value.expose(), &mut text);
        self.replace(&self.value_path(uuid), text.as_bytes())
    }

    fn replace(&self, path: &Path, content: &[u8]) -> Result<()> {
        // The first secret of all makes the directory.
        let mut directory = DirBuilder::new();
        let made = directory.recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|error| system("cannot create", &self.directory, &error))?;
        virtbus_store::replace(path, content, Durability::Host).map_err(|it| unsaved(&it))
    }

    /// Removes document and value; what is not there is as good as removed. The value goes first: one without a document
    /// would lie there for ever.
    pub(super) fn remove(&self, uuid: Uuid) -> Result<()> {
        if !self.directory.exists() {
            return Ok(());
        }
        virtbus_store::remove(&self.value_path(uuid), Durability::Host).map_err(|it| unsaved(&it))?;
        virtbus_store::remove(&self.definitions.path(&uuid.to_string()), Durability::Host).map_err(|it| unsaved(&it))
    }
}

/// The value in a file; `None` where there is no file. No error shows any of it.
fn value_of(path: &Path) -> io::Result<Option<SecretValue>> {
    // Opening a pipe would wait for somebody to write into it.
    let file = match File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_FILE + 1));
    file.take(LONGEST_FILE as u64 + 1).read_to_end(&mut text)?;
    if text.len() > LONGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long"));
    }
    text.retain(|it| !it.is_ascii_whitespace());
    let mut value = Zeroizing::new(vec![0; LONGEST_FILE]);
    // The error would name a letter of it.
    let decoded = STANDARD.decode_slice(text.as_slice(), &mut value);
    let length = decoded.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not base64"))?;
    Ok(Some(SecretValue::new(value.get(..length).unwrap_or_default().to_vec())))
}

fn system(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::system(format!("{what} '{}'", path.display()), error).in_domain(ErrorDomain::Secret)
}

fn unsaved(error: &virtbus_store::Error) -> Error {
    system(&format!("cannot {}", error.action), &error.path, &error.source)
}
