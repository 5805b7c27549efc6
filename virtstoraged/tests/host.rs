//! Pools that are mounted, partitioned, or hang, and images of qemu-img: with root, in a mount namespace of the test's own.
//! Where the host lacks a tool or a right, a test says that it is skipped.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "tests")]

mod stand;

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use stand::{Stand, document};
use virtbus_api::{
    ErrorCode, PoolRef,
    flags::{
        PoolBuildFlags, PoolCreateFlags, PoolXmlFlags, TransferFlags, VolumeCreateFlags, VolumeDeleteFlags,
        VolumeResizeFlags,
    },
    storage::{Piece, PoolState, Pools, SecretValue, Secrets, Volumes},
};
use virtbus_schema::Secret;

fn has(tool: &str) -> bool {
    let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().any(|it| Path::new(it).join(tool).exists());
    if !found {
        eprintln!("skipped: {tool} is missing");
    }
    found
}

/// A command of the test's own.
#[allow(clippy::disallowed_methods, reason = "the test stands beside the engine")]
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("it starts");
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs the test in a mount namespace that nobody else sees; `None` without root.
fn in_namespace<T>(test: impl Future<Output = T>) -> Option<T> {
    if !nix::unistd::geteuid().is_root() || unshare(CloneFlags::CLONE_NEWNS).is_err() {
        eprintln!("skipped: mounting needs root");
        return None;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    Some(runtime.block_on(test))
}

fn image(path: &Path, mebibytes: u64) -> String {
    std::fs::File::create(path).and_then(|it| it.set_len(mebibytes << 20)).expect("made");
    path.display().to_string()
}

fn code<T: std::fmt::Debug>(result: virtbus_api::Result<T>) -> ErrorCode {
    result.expect_err("it fails").code
}

async fn fs_pool(stand: &Stand, format: &str) -> PoolRef {
    let device = image(&stand.path("disk.img"), 32);
    let target = stand.path("mnt").display().to_string();
    let xml = format!(
        "<pool type='fs'><name>f</name><source><device path='{device}'/><format type='{format}'/></source>\
         <target><path>{target}</path></target></pool>"
    );
    stand.define(&xml).await.expect("defined")
}

#[test]
fn a_file_system_in_an_image() {
    if !has("mkfs.ext4") || !has("blkid") {
        return;
    }
    in_namespace(async {
        let mut stand = Stand::new().await;
        let pool = fs_pool(&stand, "ext4").await;
        assert_eq!(code(stand.engine.start(&pool, PoolCreateFlags::empty()).await), ErrorCode::InternalError);
        stand.engine.build(&pool, PoolBuildFlags::NO_OVERWRITE).await.expect("formatted");
        let again = stand.engine.build(&pool, PoolBuildFlags::NO_OVERWRITE).await;
        assert_eq!(code(again), ErrorCode::StoragePoolBuilt);
        stand.engine.build(&pool, PoolBuildFlags::OVERWRITE).await.expect("formatted anew");
        stand.engine.start(&pool, PoolCreateFlags::empty()).await.expect("mounted");
        stand.volume(&pool, "v", "<capacity>4096</capacity>").await.expect("made");
        assert!(stand.path("mnt/v").exists());
        // Another daemon goes on with it, and unmounts it.
        stand.again().await;
        assert!(stand.engine.is_active(&pool).expect("known"));
        let names: Vec<_> = stand.engine.volumes(&pool).expect("listed").into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["lost+found", "v"]);
        stand.engine.destroy(&pool).await.expect("unmounted");
        assert!(!stand.path("mnt/v").exists());
    });
}

#[test]
fn a_full_file_system_is_named_with_the_offset() {
    if !has("mkfs.ext4") || !has("blkid") {
        return;
    }
    in_namespace(async {
        let stand = Stand::new().await;
        let pool = fs_pool(&stand, "ext4").await;
        stand.engine.build(&pool, PoolBuildFlags::OVERWRITE).await.expect("formatted");
        stand.engine.start(&pool, PoolCreateFlags::empty()).await.expect("mounted");
        let large = "<capacity unit='MiB'>100</capacity>";
        assert_eq!(code(stand.volume(&pool, "whole", large).await), ErrorCode::SystemError);
        // The file goes when the thread that filled it lets go of it, which may be a moment after the answer.
        let left = || -> Vec<_> {
            let entries = std::fs::read_dir(stand.path("mnt")).expect("listed").flatten();
            entries.map(|it| it.file_name()).filter(|it| it != "lost+found").collect()
        };
        for _ in 0..500 {
            if left().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(left().is_empty(), "left behind: {:?}", left());
        let sparse = format!("{large}<allocation>0</allocation>");
        let volume = stand.volume(&pool, "v", &sparse).await.expect("made");
        let mut writer = stand.engine.upload(&volume, 0, 0, TransferFlags::empty()).await.expect("opened");
        let mut result = Ok(());
        for _ in 0..100 {
            result = writer.write(Piece::Data(Bytes::from(vec![1; 1 << 20]))).await;
            if result.is_err() {
                break;
            }
        }
        let error = match result {
            Ok(()) => writer.finish().await.expect_err("full"),
            Err(error) => error,
        };
        assert_eq!(error.errno, Some(nix::libc::ENOSPC));
        let text = error.message();
        assert!(text.contains("/mnt/v' at offset ") && text.ends_with("No space left on device"), "{text}");
        stand.engine.destroy(&pool).await.expect("unmounted");
    });
}

/// A FUSE server of ours that can be stopped.
#[allow(clippy::disallowed_methods, reason = "the test stands beside the engine")]
fn serve(image: &str, target: &Path) -> Child {
    let target = target.display().to_string();
    let server = Command::new("fuse2fs").args([image, &target, "-f", "-o", "rw"]).spawn().expect("it starts");
    let until = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string("/proc/thread-self/mountinfo").expect("readable").contains(&target) {
        assert!(Instant::now() < until, "it is never mounted");
        std::thread::yield_now();
    }
    server
}

fn signal(server: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.id()).expect("a pid"));
    nix::sys::signal::kill(pid, signal).expect("it lives");
}

#[test]
fn a_server_that_hangs_holds_nobody_else_up() {
    if !has("fuse2fs") || !has("mkfs.ext4") || !Path::new("/dev/fuse").exists() {
        return;
    }
    in_namespace(async {
        let mut stand = Stand::new().await;
        let device = image(&stand.path("fuse.img"), 32);
        run("mkfs.ext4", &["-q", "-F", &device]);
        std::fs::create_dir(stand.path("hung")).expect("made");
        let mut server = serve(&device, &stand.path("hung"));
        let hung = stand.dir_pool("hung").await;
        let other = stand.dir_pool("other").await;
        let volume =
            stand.volume(&hung, "v", "<capacity>4096</capacity><allocation>0</allocation>").await.expect("made");
        signal(&server, nix::sys::signal::Signal::SIGSTOP);
        let (engine, began) = (stand.engine.clone(), Instant::now());
        let refresh = engine.refresh(&hung);
        let beside = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let began = Instant::now();
            stand.volume(&other, "w", "<capacity>4096</capacity>").await.expect("made");
            stand.engine.refresh(&other).await.expect("refreshed");
            assert_eq!(stand.engine.volumes(&hung).expect("listed").len(), 2, "reads of its own go on");
            assert!(stand.engine.xml(&hung, PoolXmlFlags::empty()).is_ok());
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        };
        let (refreshed, ()) = tokio::join!(refresh, beside);
        assert_eq!(code(refreshed), ErrorCode::OperationTimeout);
        assert!(began.elapsed() < Duration::from_secs(40));
        assert_eq!(stand.engine.info(&hung).expect("info").state, PoolState::Inaccessible);
        assert_eq!(code(stand.engine.volume_info(&volume).await), ErrorCode::OperationTimeout);
        // A daemon that starts meanwhile is not held up either, and forgets nothing.
        let began = Instant::now();
        stand.again().await;
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        assert_eq!(stand.engine.volumes(&other).expect("listed").len(), 1);
        signal(&server, nix::sys::signal::Signal::SIGCONT);
        stand.engine.refresh(&hung).await.expect("it answers again");
        assert_eq!(stand.engine.info(&hung).expect("info").state, PoolState::Running);
        assert_eq!(stand.engine.volumes(&hung).expect("listed").len(), 2);
        stand.engine.destroy(&hung).await.expect("stopped");
        run("umount", &[&stand.path("hung").display().to_string()]);
        server.wait().expect("it ends");
    });
}

#[test]
fn a_disk_and_its_partitions() {
    if !has("parted") || !has("losetup") || !has("blkid") {
        return;
    }
    in_namespace(async {
        let stand = Stand::new().await;
        let file = image(&stand.path("disk.img"), 64);
        let device = run("losetup", &["-f", "--show", "-P", &file]);
        let xml = format!(
            "<pool type='disk'><name>d</name><source><device path='{device}'/><format type='gpt'/></source>\
             <target><path>/dev</path></target></pool>"
        );
        let pool = stand.define(&xml).await.expect("defined");
        let engine = &stand.engine;
        assert_eq!(code(engine.start(&pool, PoolCreateFlags::empty()).await), ErrorCode::StorageProbeFailed);
        engine.build(&pool, PoolBuildFlags::NO_OVERWRITE).await.expect("labelled");
        assert_eq!(code(engine.build(&pool, PoolBuildFlags::empty()).await), ErrorCode::StoragePoolBuilt);
        engine.start(&pool, PoolCreateFlags::empty()).await.expect("started");
        let (small, name) = ("<capacity unit='MiB'>8</capacity>", device.trim_start_matches("/dev/"));
        assert_eq!(code(stand.volume(&pool, "other", small).await), ErrorCode::InvalidArg);
        let first = stand.volume(&pool, &format!("{name}p1"), small).await.expect("made");
        let second = stand.volume(&pool, &format!("{name}p2"), small).await.expect("made");
        let listed = run("parted", &["-m", "-s", &device, "unit", "B", "print"]);
        assert!(listed.contains("1:1048576B:9437183B:8388608B"), "{listed}");
        let large = stand.volume(&pool, &format!("{name}p3"), "<capacity unit='GiB'>1</capacity>").await;
        assert_eq!(code(large), ErrorCode::InternalError);
        engine.delete_volume(&first, VolumeDeleteFlags::empty()).await.expect("deleted");
        engine.refresh(&pool).await.expect("refreshed");
        assert_eq!(engine.volumes(&pool).expect("listed"), std::slice::from_ref(&second));
        let xml = engine.xml(&pool, PoolXmlFlags::empty()).expect("xml");
        assert!(!xml.source.devices[0].free_extents.is_empty());
        assert_eq!(engine.volume_info(&second).await.expect("info").capacity, 8 << 20);
        engine.destroy(&pool).await.expect("stopped");
        run("losetup", &["-d", &device]);
    });
}

#[tokio::test]
async fn images_of_qemu_img() {
    if !has("qemu-img") {
        return;
    }
    let stand = Stand::new().await;
    let (engine, pool) = (&stand.engine, stand.dir_pool("p").await);
    let format = |it: &str| format!("<capacity unit='MiB'>4</capacity><target><format type='{it}'/></target>");
    for name in ["qcow2", "vmdk", "vdi", "qcow", "qed"] {
        let volume = stand.volume(&pool, name, &format(name)).await.expect(name);
        assert_eq!(engine.volume_info(&volume).await.expect("info").capacity, 4 << 20, "{name}");
    }
    let descriptor = std::fs::read(stand.path("p/vmdk")).expect("read");
    assert!(descriptor.windows(6).any(|it| it == b"\"vmdk\""), "it names itself as it is called");
    let base = engine.lookup_volume(&pool, "qcow2").expect("found");
    let path = engine.volume_path(&base).expect("a path");
    let backed = format!(
        "<target><format type='qcow2'/></target><backingStore><path>{path}</path><format type='qcow2'/></backingStore>"
    );
    let top = stand.volume(&pool, "top", &backed).await.expect("made");
    assert_eq!(engine.volume_info(&top).await.expect("info").capacity, 4 << 20);
    let missing = backed.replace(&path, "/no/such");
    assert_eq!(code(stand.volume(&pool, "bad", &missing).await), ErrorCode::SystemError);
    engine.resize_volume(&top, 8 << 20, VolumeResizeFlags::empty()).await.expect("grown");
    assert_eq!(engine.volume_info(&top).await.expect("info").capacity, 8 << 20);
    let flat = document("flat", "<target><format type='raw'/></target>");
    let flat = engine.create_volume_from(&pool, flat, &top, VolumeCreateFlags::empty()).await.expect("converted");
    assert_eq!(engine.volume_info(&flat).await.expect("info").capacity, 8 << 20);
    assert_eq!(code(stand.volume(&pool, "x", &format("bochs")).await), ErrorCode::InternalError);
    assert_eq!(code(stand.volume(&pool, "x", &format("bogus")).await), ErrorCode::ConfigUnsupported);
    engine.refresh(&pool).await.expect("refreshed");
    let xml = engine.volume_xml(&top).await.expect("xml");
    assert_eq!(xml.target.compat.as_deref(), Some("1.1"));
    assert_eq!(xml.backing_store.as_ref().map(|it| it.path.as_str()), Some(path.as_str()));
    let hidden = std::fs::read_dir(stand.path("p")).expect("listed").flatten();
    assert_eq!(hidden.filter(|it| it.file_name().to_string_lossy().starts_with(".virtbus")).count(), 0);
}

#[tokio::test]
async fn an_encrypted_image_opens_with_its_secret_only() {
    if !has("qemu-img") {
        return;
    }
    let stand = Stand::new().await;
    let (engine, pool) = (&stand.engine, stand.dir_pool("p").await);
    let uuid = "90d00000-0000-4000-8000-0000000000a1";
    let encrypted = |format: &str| {
        format!(
            "<capacity unit='MiB'>1</capacity><target><format type='{format}'/><encryption format='luks'>\
             <secret type='passphrase' uuid='{uuid}'/></encryption></target>"
        )
    };
    assert_eq!(code(stand.volume(&pool, "v", &encrypted("qcow2")).await), ErrorCode::NoSecret);
    let secret = format!("<secret ephemeral='no' private='yes'><uuid>{uuid}</uuid></secret>");
    let secret = Secret::parse(&secret).expect("a secret");
    let secret = stand.secrets.define_secret(Box::new(secret), Default::default()).await.expect("defined");
    stand.secrets.set_secret_value(&secret, SecretValue::new(b"let me in".to_vec())).await.expect("set");
    let volume = stand.volume(&pool, "v", &encrypted("qcow2")).await.expect("made");
    assert_eq!(engine.volume_info(&volume).await.expect("info").capacity, 1 << 20);
    engine.resize_volume(&volume, 8 << 20, VolumeResizeFlags::empty()).await.expect("grown");
    assert_eq!(engine.volume_info(&volume).await.expect("info").capacity, 8 << 20);
    let copy = document("copy", &encrypted("raw"));
    let copy = engine.create_volume_from(&pool, copy, &volume, VolumeCreateFlags::empty()).await.expect("copied");
    assert_eq!(engine.volume_info(&copy).await.expect("info").capacity, 8 << 20);
    let options = format!("driver=luks,file.filename={},key-secret=s", engine.volume_path(&copy).expect("a path"));
    run("qemu-img", &["info", "--object", "secret,id=s,data=let me in", "--image-opts", &options]);
}
