//! What an image's header says, in the words of a volume's document. The headers themselves are read by
//! [`virtbus_host::image`].

use std::fs::File;
use std::path::{Path, PathBuf};

use virtbus_host::image::{self, ImageEncryption, ImageFormat};
use virtbus_schema::storage_pool::PoolKind;
use virtbus_schema::storage_vol::{ClusterSize, Encryption, EncryptionFormat, VolumeFeatures, VolumeFormat};

/// What a volume's document takes from the header.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) format: VolumeFormat,
    /// How much a guest sees, where the format says.
    pub(crate) capacity: Option<u64>,
    /// The backing file's name as written, and its format where written as one that volumes have.
    pub(crate) backing: Option<(String, Option<String>)>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) compat: Option<String>,
    pub(crate) cluster_size: Option<ClusterSize>,
    pub(crate) features: Option<VolumeFeatures>,
}

/// Reads the header of an image whose format is not known; what has none that is known is raw, as is what cannot be read.
pub(crate) fn probe(content: &File) -> Header {
    let Ok(header) = image::Header::of(content, None) else {
        return Header {
            format: VolumeFormat::Raw,
            capacity: None,
            backing: None,
            encryption: None,
            compat: None,
            cluster_size: None,
            features: None,
        };
    };
    // Version 2 has neither features nor a name that libvirt shows.
    let third = header.qcow2.as_ref().filter(|it| it.version >= 3);
    Header {
        format: VolumeFormat::from_name(header.format.as_str()).unwrap_or(VolumeFormat::Raw),
        capacity: header.capacity.filter(|it| *it > 0),
        backing: header.backing.ok().flatten().map(|it| (it.name, it.format.filter(|it| is_volume_format(it)))),
        encryption: header.encryption.and_then(encryption),
        compat: third.map(|_| "1.1".to_owned()),
        cluster_size: header.qcow2.as_ref().and_then(|it| it.cluster_size).map(|bytes| ClusterSize { bytes }),
        features: third.map(|it| VolumeFeatures {
            lazy_refcounts: it.lazy_refcounts,
            extended_l2: it.extended_l2,
            data_file: it.has_data_file,
        }),
    }
}

/// The capacity that the header of an image of this format says; `None` for formats that say none.
pub(crate) fn capacity(content: &File, format: Option<VolumeFormat>, encrypted: bool) -> Option<u64> {
    let format = format.and_then(|it| ImageFormat::from_name(it.as_str()))?;
    // A guest can write a LUKS header onto its raw disk.
    if format == ImageFormat::Raw && !encrypted {
        return None;
    }
    image::Header::of(content, Some(format)).ok()?.capacity.filter(|it| *it > 0)
}

/// The file meant by a backing file's name; `None` for what is no path.
pub(crate) fn resolve(image: &Path, name: &str) -> Option<PathBuf> {
    image::resolve(image, name)?;
    // As it is written, which is how clients know it.
    let name = name.strip_prefix("file:").unwrap_or(name);
    Some(image.parent().unwrap_or(Path::new("/")).join(name))
}

/// How a document says it; what QEMU cannot open is raw content to libvirt.
fn encryption(found: ImageEncryption) -> Option<Encryption> {
    let format = match found {
        ImageEncryption::Qcow => EncryptionFormat::Qcow,
        ImageEncryption::Luks => EncryptionFormat::Luks,
        ImageEncryption::Luks2 => return None,
    };
    Some(Encryption { format, engine: None, secrets: Vec::new(), cipher: None, ivgen: None })
}

/// Whether a format that a header names is one that documents of volumes have; the others are shown as raw.
fn is_volume_format(name: &str) -> bool {
    VolumeFormat::from_name(name).is_some_and(|it| PoolKind::Dir.takes_volume_format(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(content: &[u8]) -> Header {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("it");
        std::fs::write(&path, content).expect("written");
        probe(&File::open(&path).expect("opened"))
    }

    #[test]
    fn a_header_is_put_in_a_documents_words() {
        let mut qcow2 = vec![0; 104];
        qcow2[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        qcow2[23] = 16;
        qcow2[29] = 0x40;
        qcow2[35] = 2;
        qcow2[87] = 1;
        let it = probed(&qcow2);
        assert_eq!((it.format, it.capacity), (VolumeFormat::Qcow2, Some(4 << 20)));
        assert_eq!(it.encryption.map(|it| it.format), Some(EncryptionFormat::Luks));
        assert_eq!((it.compat.as_deref(), it.cluster_size), (Some("1.1"), Some(ClusterSize { bytes: 65536 })));
        assert_eq!(it.features, Some(VolumeFeatures { lazy_refcounts: true, extended_l2: false, data_file: false }));
        qcow2[7] = 2;
        let it = probed(&qcow2);
        assert!(it.compat.is_none() && it.features.is_none() && it.cluster_size.is_some());
        assert_eq!(probed(b"").format, VolumeFormat::Raw);
    }

    #[test]
    fn names_of_backing_files_are_paths_or_not() {
        let image = Path::new("/pool/top.qcow2");
        assert_eq!(resolve(image, "base"), Some("/pool/base".into()));
        assert_eq!(resolve(image, "/a/./b"), Some("/a/./b".into()));
        assert_eq!(resolve(image, "nbd://h/x"), None);
        assert_eq!(resolve(image, "json:{}"), None);
    }
}
