//! What an image's header says, in the words of a volume's document. The headers themselves are read by
//! [`virtbus_host::image`].

use std::fs::File;
use std::path::Path;

use virtbus_host::image::{Described, Header as Image, ImageEncryption, ImageFormat, Qcow2, described};
use virtbus_schema::storage_pool::PoolKind;
use virtbus_schema::storage_vol::{
    ClusterSize, Encryption, EncryptionFormat, StorageVolume, VolumeFeatures, VolumeFormat,
};

/// What a volume's document takes from the header.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) format: VolumeFormat,
    /// How much a guest sees, where the format says.
    pub(crate) capacity: Option<u64>,
    /// The backing file's name as written, and its format where written.
    pub(crate) backing: Option<(String, Option<String>)>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) compat: Option<String>,
    pub(crate) cluster_size: Option<ClusterSize>,
    pub(crate) features: Option<VolumeFeatures>,
}

/// Reads the header of an image whose format is not known, as what it looks like; what looks like nothing is raw. For what
/// lists show, never for a guest.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn probe(content: &File) -> std::io::Result<Header> {
    let read = Image::of(content, None)?;
    let qcow2 = read.qcow2.as_ref();
    Ok(Header {
        format: VolumeFormat::from_name(read.format.as_str()).unwrap_or(VolumeFormat::Raw),
        capacity: read.capacity.filter(|it| *it > 0),
        // A damaged name is none: the list goes on without it.
        backing: read.backing.ok().flatten().map(|it| (it.name, it.format.filter(|it| is_volume_format(it)))),
        encryption: read.encryption.and_then(encryption),
        compat: qcow2.filter(|it| it.version >= 3).map(|_| "1.1".to_owned()),
        cluster_size: qcow2.and_then(cluster_size),
        features: qcow2.and_then(features),
    })
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

/// Shown whatever the version; as with the reference, the version itself is only shown from the third on.
fn cluster_size(header: &Qcow2) -> Option<ClusterSize> {
    header.cluster_size.map(|bytes| ClusterSize { bytes })
}

fn features(header: &Qcow2) -> Option<VolumeFeatures> {
    (header.version >= 3).then_some(VolumeFeatures {
        lazy_refcounts: header.lazy_refcounts,
        extended_l2: header.extended_l2,
        data_file: header.has_data_file,
    })
}

/// The capacity that the header of a volume's image says, read as the format that is known; `None` where it says none.
pub(crate) fn capacity(content: &File, document: &StorageVolume) -> Option<u64> {
    let target = &document.target;
    let format = ImageFormat::from_name(target.volume_format()?.as_str())?;
    if format == ImageFormat::Raw && target.encryption.is_none() {
        // A guest may have written what looks like a header.
        return None;
    }
    Image::of(content, Some(format)).ok()?.capacity
}

/// A backing file as lists show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its path, or its name where that is no path.
    pub(crate) name: String,
    /// Whether it is a file of this host.
    pub(crate) is_file: bool,
    /// Whether what the header says of its format counts.
    pub(crate) keeps_format: bool,
}

/// The backing file that the header of `image` names so. A path stays as it is written, which is how clients know it.
pub(crate) fn shown(image: &Path, name: &str) -> Shown {
    let other = |name: &str| Shown { name: name.to_owned(), is_file: false, keeps_format: true };
    match described(name) {
        Some(Described::Path { path, .. }) => Shown { is_file: path.starts_with('/'), ..other(&path) },
        Some(Described::Remote) => other(name),
        Some(Described::Unclear) => Shown { keeps_format: false, ..other(name) },
        None if name.starts_with("file:") => other(name),
        None => match virtbus_host::image::resolve(image, name) {
            Some(_) => {
                let path = image.parent().unwrap_or(Path::new("/")).join(name);
                Shown { is_file: true, ..other(&path.to_string_lossy()) }
            }
            None => other(name),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(content: &[u8]) -> Header {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("it");
        std::fs::write(&path, content).expect("written");
        probe(&File::open(&path).expect("opened")).expect("read")
    }

    /// As libvirtd 11.3 shows files with the same bytes.
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
        assert!(probed(b"LUKS\xba\xbe\0\x02").encryption.is_none());
        assert!(
            is_volume_format("qcow2") && !["none", "auto", "luks", "host_device"].iter().any(|it| is_volume_format(it))
        );
    }

    /// As libvirtd 11.3 shows images with the same names in their headers.
    #[test]
    fn names_of_backing_files_are_paths_or_not() {
        let of = |name: &str| {
            let it = shown(Path::new("/pool/top.qcow2"), name);
            (it.name, it.is_file, it.keeps_format)
        };
        let it = |name: &str, is_file, keeps_format| (name.to_owned(), is_file, keeps_format);
        assert_eq!(of("base"), it("/pool/base", true, true));
        assert_eq!(of("/a/./b"), it("/a/./b", true, true));
        for name in ["nbd://h/x", "file:/a", "file:///a", "json:{\"driver\":\"nbd\",\"host\":\"h\"}"] {
            assert_eq!(of(name), it(name, false, true));
        }
        assert_eq!(of("json:{}"), it("json:{}", false, false));
        assert_eq!(of("json:{\"driver\":\"file\",\"filename\":\"/a\"}"), it("/a", true, true));
        assert_eq!(of("json:{\"driver\":\"file\",\"filename\":\"a\"}"), it("a", false, true));
    }
}
