//! Headers of images as qemu-img writes them, damaged ones, and chains. They know no guest.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// `bytes` at `at`, the file grown with zeroes as far as needed.
fn put(head: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if head.len() < at + bytes.len() {
        head.resize(at + bytes.len(), 0);
    }
    head[at..at + bytes.len()].copy_from_slice(bytes);
}

fn qcow2(version: u32, name: &str, format: Option<&str>) -> Vec<u8> {
    let mut it = Vec::new();
    put(&mut it, 0, b"QFI\xfb");
    put(&mut it, 4, &version.to_be_bytes());
    put(&mut it, 20, &16_u32.to_be_bytes());
    put(&mut it, 24, &(4_u64 << 20).to_be_bytes());
    let header = if version >= 3 { 104 } else { 72 };
    it.resize(header, 0);
    if version >= 3 {
        put(&mut it, 100, &104_u32.to_be_bytes());
    }
    if let Some(format) = format {
        it.extend(0xe279_2aca_u32.to_be_bytes());
        it.extend(u32::try_from(format.len()).unwrap().to_be_bytes());
        it.extend(format.as_bytes());
        it.resize(it.len().next_multiple_of(8), 0);
    }
    it.extend([0; 8]);
    if !name.is_empty() {
        let offset = it.len() as u64;
        put(&mut it, 8, &offset.to_be_bytes());
        put(&mut it, 16, &u32::try_from(name.len()).unwrap().to_be_bytes());
        it.extend(name.as_bytes());
    }
    it
}

fn looks_like(head: &[u8]) -> (&'static str, Option<u64>, Option<String>) {
    let header = Header::detect(head, head.len() as u64);
    (header.format.as_str(), header.capacity, header.backing.ok().flatten().map(|it| it.name))
}

#[test]
fn files_are_what_the_reference_shows_them_as() {
    let mut iso = vec![0; 40_000];
    put(&mut iso, 32769, b"CD001");
    assert_eq!(looks_like(&iso), ("iso", None, None));
    // The first signature counts.
    put(&mut iso, 0, &qcow2(3, "", None));
    assert_eq!(looks_like(&iso), ("iso", None, None));

    let mut vpc = b"conectix".to_vec();
    put(&mut vpc, 12, &0x1_0000_u32.to_be_bytes());
    put(&mut vpc, 40, &(13_u64 << 20).to_be_bytes());
    assert_eq!(looks_like(&vpc), ("vpc", Some(13 << 20), None));
    put(&mut vpc, 12, &0x2_0000_u32.to_be_bytes());
    assert_eq!(looks_like(&vpc), ("raw", None, None));

    let mut vdi = Vec::new();
    put(&mut vdi, 64, b"\x7f\x10\xda\xbe\x01\0\x01\0");
    put(&mut vdi, 368, &(11_u64 << 20).to_le_bytes());
    assert_eq!(looks_like(&vdi), ("vdi", Some(11 << 20), None));

    let mut cow = b"OOOM\0\0\0\x02base.raw".to_vec();
    put(&mut cow, 1036, &(5_u64 << 20).to_be_bytes());
    assert_eq!(looks_like(&cow), ("cow", Some(5 << 20), Some("base.raw".to_owned())));

    let mut qed = b"QED\0".to_vec();
    put(&mut qed, 48, &(6_u64 << 20).to_le_bytes());
    assert_eq!(looks_like(&qed), ("qed", Some(6 << 20), None));
    put(&mut qed, 16, &[5]);
    put(&mut qed, 56, &[64, 0, 0, 0, 4, 0, 0, 0]);
    put(&mut qed, 64, b"base");
    let backing = Header::detect(&qed, 0).backing;
    assert_eq!(backing, Ok(Some(Backing { name: "base".to_owned(), format: Some("raw".to_owned()) })));

    let mut vmdk = b"KDMV\x01\0\0\0".to_vec();
    put(&mut vmdk, 12, &8192_u64.to_le_bytes());
    put(&mut vmdk, 512, b"version=1\nparentFileNameHint=\"base.vmdk\"\n");
    assert_eq!(looks_like(&vmdk), ("vmdk", Some(4 << 20), Some("base.vmdk".to_owned())));

    for other in [&b"vhdxfile"[..], b"koly", b"Bochs Virtual HD Image", b"QF", b"", &qcow2(4, "", None)] {
        assert_eq!(looks_like(other).0, "raw");
    }
}

#[test]
fn what_qcow2_says() {
    let mut head = qcow2(3, "base.img", Some("qcow2"));
    put(&mut head, 72, &0b1_0100_u64.to_be_bytes());
    put(&mut head, 80, &1_u64.to_be_bytes());
    put(&mut head, 32, &2_u32.to_be_bytes());
    let header = Header::detect(&head, 0);
    assert_eq!(header.backing, Ok(Some(Backing { name: "base.img".to_owned(), format: Some("qcow2".to_owned()) })));
    assert_eq!((header.capacity, header.encryption), (Some(4 << 20), Some(ImageEncryption::Luks)));
    let about = header.qcow2.expect("it is qcow2");
    assert_eq!((about.version, about.cluster_size), (3, Some(65536)));
    assert!(about.lazy_refcounts && about.extended_l2 && about.has_data_file);

    // Feature bits are of version 3; the backing format is older.
    let mut head = qcow2(2, "b", Some("raw"));
    let header = Header::detect(&head, 0);
    assert_eq!(header.backing, Ok(Some(Backing { name: "b".to_owned(), format: Some("raw".to_owned()) })));
    assert!(header.qcow2.is_some_and(|it| it.version == 2 && !it.has_data_file));
    put(&mut head, 20, &64_u32.to_be_bytes());
    assert_eq!(Header::detect(&head, 0).qcow2.and_then(|it| it.cluster_size), None);

    assert_eq!(Header::detect(&qcow2(3, "b", None), 0).backing.map(|it| it.and_then(|it| it.format)), Ok(None));
}

#[test]
fn what_an_image_was_said_to_be_counts() {
    let head = qcow2(3, "/etc/shadow", Some("raw"));
    // A guest wrote this onto its raw disk.
    let header = Header::read(&head, head.len() as u64, ImageFormat::Raw);
    assert_eq!((header.backing, header.capacity), (Ok(None), None));
    assert!(Header::read(b"no header", 9, ImageFormat::Qcow2).backing.is_err());
}

#[test]
fn luks_tells_its_payload() {
    let mut head = b"LUKS\xba\xbe\0\x01".to_vec();
    put(&mut head, 104, &4096_u32.to_be_bytes());
    let header = Header::detect(&head, 5 << 20);
    assert_eq!((header.format, header.encryption), (ImageFormat::Raw, Some(ImageEncryption::Luks)));
    assert_eq!(header.capacity, Some(3 << 20));
    // Cut off before its payload: not as large as all of memory, as the reference has it.
    assert_eq!(Header::detect(&head, 1 << 20).capacity, None);
    head[7] = 2;
    assert_eq!(Header::detect(&head, 5 << 20).encryption, Some(ImageEncryption::Luks2));
}

#[test]
fn a_hyper_v_image_says_its_size_in_its_metadata() {
    let metadata_region =
        [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
    let virtual_size = [0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8];
    let mut image = b"vhdxfile".to_vec();
    put(&mut image, 192 << 10, b"regi\0\0\0\0\x01\0");
    put(&mut image, (192 << 10) + 16, &metadata_region);
    put(&mut image, (192 << 10) + 32, &(1_u64 << 20).to_le_bytes());
    put(&mut image, 1 << 20, b"metadata\0\0\x01\0");
    put(&mut image, (1 << 20) + 32, &virtual_size);
    put(&mut image, (1 << 20) + 48, &65536_u32.to_le_bytes());
    put(&mut image, (1 << 20) + 65536, &(7_u64 << 30).to_le_bytes());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("v.vhdx");
    let size = |image: &[u8]| {
        std::fs::write(&path, image).expect("written");
        let file = File::open(&path).expect("opened");
        Header::of(&file, Some(ImageFormat::Vhdx)).expect("read").capacity
    };
    assert_eq!(size(&image), Some(7 << 30));
    put(&mut image, (192 << 10) + 32, &u64::MAX.to_le_bytes());
    assert_eq!(size(&image), None);
    assert_eq!(size(b"vhdxfile"), None);
}

#[test]
fn chains_end_and_names_resolve() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("top"), qcow2(3, "middle", Some("qcow2"))).expect("written");
    std::fs::write(file("middle"), qcow2(3, "base", None)).expect("written");
    std::fs::write(file("base"), qcow2(3, "top", Some("qcow2"))).expect("written");
    // The base has no format in the image above: it is raw, whatever it looks like.
    let layers = chain(&file("top"), "qcow2").expect("sound");
    assert_eq!(layers.iter().map(|it| it.format.as_str()).collect::<Vec<_>>(), ["qcow2", "raw"]);
    std::fs::write(file("middle"), qcow2(3, "top", Some("qcow2"))).expect("written");
    assert!(matches!(chain(&file("top"), "qcow2"), Err(ImageError::Endless(_))));
    assert_eq!(resolve(Path::new("/a/b.img"), "./c"), Some(PathBuf::from("/a/c")));
    assert_eq!(resolve(Path::new("/a/b.img"), "nbd://h/x"), None);
    assert_eq!(resolve(Path::new("/a/b.img"), "json:{}"), None);
    let described = r#"json:{"driver":"raw","file":{"driver":"file","filename":"/c/./d"}}"#;
    assert_eq!(resolve(Path::new("/a/b.img"), described), Some(PathBuf::from("/c/d")));
    assert_eq!(resolve(Path::new("/a/b.img"), &described.replace("/c", "c")), None);
}

#[test]
fn no_prefix_or_flipped_byte_of_a_header_panics() {
    let sound = qcow2(3, "base.img", Some("raw"));
    for end in 0..sound.len() {
        let _ = Header::detect(&sound[..end], end as u64);
    }
    for at in 0..sound.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut torn = sound.clone();
            torn[at] = value;
            let _ = Header::detect(&torn, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever follows a signature, reading ends and invents no name beyond the header.
    #[test]
    fn no_content_panics(
        signature in prop::sample::select(vec![
            &b"QFI\xfb\0\0\0\x03"[..], b"QFI\xfb\0\0\0\x02", b"QFI\0\0\0\0\x01", b"KDMV\x01\0\0\0", b"QED\0", b"OOOM\0\0\0\x02",
            b"conectix", b"LUKS\xba\xbe\0\x01", b"LUKS\xba\xbe\0\x02", b"WithouFreSpacExt", b"",
        ]),
        small in prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1, 2, 16, 72, 104, 0xff]), 0..140),
        rest in prop::collection::vec(any::<u8>(), 0..700),
        length in any::<u64>(),
    ) {
        let mut head = signature.to_vec();
        head.extend(small);
        head.extend(rest);
        let header = Header::detect(&head, length);
        if let Ok(Some(backing)) = header.backing {
            prop_assert!(!backing.name.is_empty() && !backing.name.contains('\0'));
            prop_assert!(head.windows(backing.name.len()).any(|it| it == backing.name.as_bytes()));
        }
        for format in ImageFormat::DETECTED {
            let _ = Header::read(&head, length, format);
        }
    }
}
