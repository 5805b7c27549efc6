//! The life of pools and volumes on real files: no root, no mounts.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "tests")]

mod stand;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use bytes::Bytes;
use stand::{Stand, document};
use virtbus_api::{
    ErrorCode, PoolEventKind, PoolLifecycle,
    flags::{
        PoolBuildFlags, PoolCreateFlags, PoolDeleteFlags, PoolFilter, PoolXmlFlags, TransferFlags, VolumeCreateFlags,
        VolumeDeleteFlags, VolumeResizeFlags,
    },
    storage::{Piece, PoolState, Pools, Volumes, WipeAlgorithm},
};

fn code<T: std::fmt::Debug>(result: virtbus_api::Result<T>) -> ErrorCode {
    result.expect_err("it fails").code
}

#[tokio::test]
async fn a_pool_from_definition_to_undefinition() {
    let stand = Stand::new().await;
    let directory = stand.path("images");
    let xml = format!("<pool type='dir'><name>p</name><target><path>{}</path></target></pool>", directory.display());
    let engine = &stand.engine;
    let mut events = engine.pool_events();
    let pool = stand.define(&xml).await.expect("defined");
    assert!(stand.path("etc/storage/p.xml").exists());
    assert_eq!(code(engine.start(&pool, PoolCreateFlags::empty()).await), ErrorCode::SystemError);
    assert_eq!(code(engine.refresh(&pool).await), ErrorCode::OperationInvalid);
    engine.build(&pool, PoolBuildFlags::empty()).await.expect("built");
    assert_eq!(directory.metadata().expect("there").permissions().mode() & 0o777, 0o711);
    assert_eq!(code(engine.build(&pool, PoolBuildFlags::OVERWRITE).await), ErrorCode::OperationInvalid);
    engine.start(&pool, PoolCreateFlags::empty()).await.expect("started");
    assert_eq!(code(engine.start(&pool, PoolCreateFlags::empty()).await), ErrorCode::OperationInvalid);
    let status = std::fs::read_to_string(stand.path("run/storage/p.xml")).expect("a status file");
    assert!(status.contains("<poolstate>\n  <pool type='dir'>\n    <name>p</name>"), "{status}");
    let info = engine.info(&pool).expect("info");
    assert_eq!(info.state, PoolState::Running);
    assert!(info.capacity > 0 && info.capacity == info.allocation + info.available);
    let document = engine.xml(&pool, PoolXmlFlags::empty()).expect("xml");
    assert_eq!(document.capacity.bytes, info.capacity);
    let mode = document.target.as_ref().and_then(|it| it.permissions.as_ref()).and_then(|it| it.mode);
    assert_eq!(mode.map(|it| it.0), Some(0o711));
    // What it runs from is its definition, until that is replaced.
    let inactive = engine.xml(&pool, PoolXmlFlags::INACTIVE).expect("xml");
    assert_eq!(inactive.capacity.bytes, info.capacity);
    engine.set_autostart(&pool, true).await.expect("set");
    assert!(stand.path("etc/storage/autostart/p.xml").is_symlink());
    assert_eq!(engine.list(PoolFilter::AUTOSTART | PoolFilter::ACTIVE), std::slice::from_ref(&pool));
    assert_eq!(engine.list(PoolFilter::NETFS), []);
    assert_eq!(engine.lookup_by_target_path(&format!("{}/", directory.display())).expect("found"), pool);
    assert_eq!(code(engine.undefine(&pool).await), ErrorCode::OperationInvalid);
    engine.refresh(&pool).await.expect("refreshed");
    engine.destroy(&pool).await.expect("stopped");
    assert!(!stand.path("run/storage/p.xml").exists());
    engine.delete(&pool, PoolDeleteFlags::empty()).await.expect("deleted");
    assert!(!directory.exists());
    engine.undefine(&pool).await.expect("undefined");
    assert_eq!(code(engine.info(&pool)), ErrorCode::NoStoragePool);
    assert!(!stand.path("etc/storage/autostart/p.xml").is_symlink());
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        seen.push(event.kind);
    }
    use PoolLifecycle::{Created, Defined, Deleted, Started, Stopped, Undefined};
    let mut wanted: Vec<_> = [Defined, Created, Started].map(PoolEventKind::Lifecycle).to_vec();
    wanted.extend([PoolEventKind::AutostartChange, PoolEventKind::Refresh]);
    wanted.extend([Stopped, Deleted, Undefined].map(PoolEventKind::Lifecycle));
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn what_is_taken_is_not_given_twice() {
    let stand = Stand::new().await;
    let pool = stand.dir_pool("p").await;
    let path = stand.path("p").display().to_string();
    let other = format!("<pool type='dir'><name>q</name><target><path>{path}</path></target></pool>");
    assert_eq!(code(stand.define(&other).await), ErrorCode::OperationFailed);
    let same_name = "<pool type='dir'><name>p</name><target><path>/elsewhere</path></target></pool>";
    assert_eq!(code(stand.define(same_name).await), ErrorCode::OperationFailed);
    let foreign = "<pool type='rbd'><name>r</name><source><name>x</name><host name='h'/></source></pool>";
    let error = stand.define(foreign).await.expect_err("not served");
    assert_eq!(error.message(), "internal error: missing backend for pool type 9 (rbd)");
    let (first, second) = tokio::join!(
        stand.volume(&pool, "v", "<capacity>4096</capacity>"),
        stand.volume(&pool, "v", "<capacity>4096</capacity>")
    );
    let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
    won.expect("one wins");
    assert_eq!(code(lost), ErrorCode::StorageVolExist);
}

#[tokio::test]
async fn names_that_no_file_can_have() {
    let stand = Stand::new().await;
    let pool = stand.dir_pool("p").await;
    let long = "n".repeat(300);
    let small = "<capacity>4096</capacity>";
    assert_eq!(code(stand.volume(&pool, "a/b", small).await), ErrorCode::OperationInvalid);
    assert_eq!(code(stand.volume(&pool, "..", small).await), ErrorCode::OperationInvalid);
    assert_eq!(code(stand.volume(&pool, &long, small).await), ErrorCode::SystemError);
    std::fs::write(stand.path("p/outside"), "x").expect("written");
    assert_eq!(code(stand.volume(&pool, "outside", small).await), ErrorCode::OperationInvalid);
    assert_eq!(std::fs::read(stand.path("p/outside")).expect("untouched"), b"x");
    let odd = stand.volume(&pool, "a\nb q'<&>", small).await.expect("made");
    assert!(stand.path("p/a\nb q'<&>").exists());
    stand.engine.delete_volume(&odd, VolumeDeleteFlags::empty()).await.expect("deleted");
    assert_eq!(std::fs::read_dir(stand.path("p")).expect("listed").count(), 1, "nothing is left of what failed");
}

#[tokio::test]
async fn a_raw_volume_from_creation_to_deletion() {
    let stand = Stand::new().await;
    let (engine, pool) = (&stand.engine, stand.dir_pool("p").await);
    let sparse = stand.volume(&pool, "sparse", "<capacity unit='MiB'>8</capacity><allocation>0</allocation>").await;
    let sparse = sparse.expect("made");
    let info = engine.volume_info(&sparse).await.expect("info");
    assert_eq!((info.capacity, info.allocation, info.physical), (8 << 20, 0, 8 << 20));
    let whole = stand.volume(&pool, "whole", "<capacity unit='MiB'>2</capacity>").await.expect("made");
    assert!(engine.volume_info(&whole).await.expect("info").allocation >= 2 << 20);
    assert_eq!(stand.path("p/whole").metadata().expect("there").mode() & 0o777, 0o600);
    assert_eq!(engine.lookup_volume_by_key(&whole.key).expect("found"), whole);
    let path = engine.volume_path(&whole).expect("a path");
    assert_eq!(engine.lookup_volume_by_path(&path).expect("found"), whole);
    assert_eq!(engine.pool_of(&whole).expect("found"), pool);
    assert_eq!(code(engine.lookup_volume(&pool, "nope")), ErrorCode::NoStorageVol);

    let shrink = engine.resize_volume(&sparse, 1 << 20, VolumeResizeFlags::empty()).await;
    assert_eq!(code(shrink), ErrorCode::InvalidArg);
    engine.resize_volume(&sparse, 1 << 20, VolumeResizeFlags::SHRINK).await.expect("shrunk");
    engine.resize_volume(&sparse, 1 << 20, VolumeResizeFlags::DELTA).await.expect("grown");
    let all = VolumeResizeFlags::ALLOCATE | VolumeResizeFlags::DELTA;
    engine.resize_volume(&sparse, 1 << 20, all).await.expect("grown");
    let info = engine.volume_info(&sparse).await.expect("info");
    assert_eq!(info.capacity, 3 << 20);
    assert!(info.allocation >= 3 << 20);
    let huge = engine.resize_volume(&sparse, 1 << 50, VolumeResizeFlags::ALLOCATE).await;
    assert_eq!(code(huge), ErrorCode::OperationFailed);

    std::fs::write(stand.path("p/whole"), vec![7; 2 << 20]).expect("written");
    engine.wipe_volume(&whole, WipeAlgorithm::Zero).await.expect("wiped");
    assert!(std::fs::read(stand.path("p/whole")).expect("read").iter().all(|it| *it == 0));
    engine.delete_volume(&whole, VolumeDeleteFlags::empty()).await.expect("deleted");
    assert_eq!(code(engine.volume_info(&whole).await), ErrorCode::NoStorageVol);
    assert_eq!(engine.volumes(&pool).expect("listed"), [sparse]);
}

async fn download(
    stand: &Stand,
    volume: &virtbus_api::VolumeRef,
    offset: u64,
    length: u64,
    sparse: bool,
) -> (Vec<u8>, u64) {
    let flags = if sparse { TransferFlags::SPARSE } else { TransferFlags::empty() };
    let mut reader = stand.engine.download(volume, offset, length, flags).await.expect("opened");
    let (mut bytes, mut holes) = (Vec::new(), 0);
    while let Some(piece) = reader.next().await.expect("read") {
        match piece {
            Piece::Data(data) => bytes.extend(data),
            Piece::Hole(length) => {
                bytes.resize(bytes.len() + usize::try_from(length).expect("small"), 0);
                holes += length;
            }
        }
    }
    (bytes, holes)
}

#[tokio::test]
async fn content_goes_in_and_out() {
    let stand = Stand::new().await;
    let (engine, pool) = (&stand.engine, stand.dir_pool("p").await);
    let volume = stand.volume(&pool, "v", "<capacity unit='MiB'>4</capacity><allocation>0</allocation>").await;
    let volume = volume.expect("made");
    let mut writer = engine.upload(&volume, 1 << 20, 0, TransferFlags::SPARSE).await.expect("opened");
    let kept = engine.delete_volume(&volume, VolumeDeleteFlags::empty()).await;
    assert_eq!(code(kept), ErrorCode::OperationInvalid, "in use");
    for piece in [Piece::Data(Bytes::from(vec![5; 100_000])), Piece::Hole(1 << 20), Piece::Data(Bytes::from("end"))] {
        writer.write(piece).await.expect("written");
    }
    writer.finish().await.expect("finished");
    let (whole, _) = download(&stand, &volume, 0, 0, false).await;
    assert_eq!(whole.len(), 4 << 20);
    assert!(whole[1 << 20..(1 << 20) + 100_000].iter().all(|it| *it == 5));
    let end = (2 << 20) + 100_000;
    assert_eq!(&whole[end..end + 3], b"end");
    let (again, holes) = download(&stand, &volume, 0, 0, true).await;
    assert!(again == whole && holes > 3 << 20, "{holes}");
    let (part, _) = download(&stand, &volume, end as u64, 2, false).await;
    assert_eq!(part, b"en");

    let mut writer = engine.upload(&volume, 0, 10, TransferFlags::empty()).await.expect("opened");
    let _ = writer.write(Piece::Data(Bytes::from(vec![1; 11]))).await;
    let error = writer.finish().await.expect_err("too much");
    assert_eq!(error.errno, Some(nix::libc::ENOSPC));
    assert!(error.message().contains("offset 10"), "{error}");
}

#[tokio::test]
async fn clones_of_raw_volumes_keep_holes() {
    let stand = Stand::new().await;
    let (engine, pool) = (&stand.engine, stand.dir_pool("p").await);
    let source = stand.volume(&pool, "v", "<capacity unit='MiB'>4</capacity><allocation>0</allocation>").await;
    let source = source.expect("made");
    let mut content = vec![0; 4 << 20];
    content[3 << 20..(3 << 20) + 5000].fill(9);
    std::os::unix::fs::FileExt::write_all_at(
        &std::fs::OpenOptions::new().write(true).open(stand.path("p/v")).expect("opened"),
        &[9; 5000],
        3 << 20,
    )
    .expect("written");
    let small = document("c", "<capacity>1</capacity><allocation>0</allocation>");
    let clone = engine.create_volume_from(&pool, small, &source, VolumeCreateFlags::empty()).await.expect("cloned");
    assert!(std::fs::read(stand.path("p/c")).expect("read") == content);
    assert!(engine.volume_info(&clone).await.expect("info").allocation < 1 << 20);
    let same = engine.create_volume_from(&pool, document("c", ""), &source, VolumeCreateFlags::empty()).await;
    assert_eq!(code(same), ErrorCode::InternalError);
}

#[tokio::test]
async fn a_restart_finds_what_was_active_and_clears_what_was_begun() {
    let mut stand = Stand::new().await;
    let pool = stand.dir_pool("p").await;
    stand.volume(&pool, "v", "<capacity>4096</capacity>").await.expect("made");
    let gone = stand.dir_pool("gone").await;
    std::fs::remove_dir(stand.path("gone")).expect("removed");
    let own = std::fs::read_dir(stand.path("p")).expect("listed").count();
    assert_eq!(own, 1);
    stand.again().await;
    let engine = &stand.engine;
    assert!(engine.is_active(&pool).expect("known") && engine.is_persistent(&pool).expect("known"));
    assert_eq!(engine.volumes(&pool).expect("listed").len(), 1);
    assert!(!engine.is_active(&gone).expect("known"));
    assert!(!stand.path("run/storage/gone.xml").exists());
    // A refresh of one whose directory has gone stops it.
    std::fs::remove_dir_all(stand.path("p")).expect("removed");
    assert_eq!(code(engine.refresh(&pool).await), ErrorCode::SystemError);
    assert!(!engine.is_active(&pool).expect("known"));
}

#[tokio::test]
async fn pools_start_with_the_host_once() {
    let mut stand = Stand::new().await;
    let pool = stand.dir_pool("p").await;
    stand.engine.set_autostart(&pool, true).await.expect("set");
    stand.engine.destroy(&pool).await.expect("stopped");
    stand.again().await;
    let first = stand.engine.start_of_host();
    stand.engine.start_with_host(first).await;
    assert!(stand.engine.is_active(&pool).expect("known"));
    stand.engine.destroy(&pool).await.expect("stopped");
    stand.again().await;
    let second = stand.engine.start_of_host();
    stand.engine.start_with_host(second).await;
    assert!(!stand.engine.is_active(&pool).expect("known"), "not a new boot");
}

#[tokio::test]
async fn a_refresh_sees_what_changed_and_transient_pools_vanish() {
    let stand = Stand::new().await;
    let engine = &stand.engine;
    let directory = stand.path("t");
    let xml = format!("<pool type='dir'><name>t</name><target><path>{}</path></target></pool>", directory.display());
    let document = virtbus_schema::StoragePool::parse(&xml).expect("a pool");
    let pool = engine.create(Box::new(document), PoolCreateFlags::WITH_BUILD).await.expect("created");
    assert!(!engine.is_persistent(&pool).expect("known"));
    assert_eq!(code(engine.set_autostart(&pool, true).await), ErrorCode::InternalError);
    std::fs::write(directory.join("new"), "x").expect("written");
    assert!(engine.volumes(&pool).expect("listed").is_empty());
    engine.refresh(&pool).await.expect("refreshed");
    assert_eq!(engine.volumes(&pool).expect("listed").len(), 1);
    engine.destroy(&pool).await.expect("stopped");
    assert_eq!(code(engine.info(&pool)), ErrorCode::NoStoragePool);
    assert!(directory.join("new").exists());
}
