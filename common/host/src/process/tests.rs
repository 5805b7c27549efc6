//! Real processes: descriptors, identity, ends, recycled pids, deadlines.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::*;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let mut child = Spawn::new("sh").args(["-c", "exit 7"]).spawn().expect("starts");
    assert_eq!(child.exited().await.expect("reaped"), Exit::Code(7));
    assert_eq!(child.exited().await.expect("remembered"), Exit::Code(7));
    let mut child = Spawn::new("sleep").arg("1000").spawn().expect("starts");
    assert!(child.is_alive());
    child.signal(Signal::SIGKILL).expect("sent");
    assert_eq!(child.exited().await.expect("reaped"), Exit::Signal(9));
    assert!(!child.is_alive());
    assert_eq!(Exit::Signal(9).to_string(), "ended by SIGKILL");
}

#[tokio::test]
async fn a_zombie_is_not_alive_and_cannot_be_opened() {
    let child = Spawn::new("true").spawn().expect("starts");
    child.ended().await.expect("ends");
    assert!(!child.is_alive());
    assert!(child.stat().expect("not reaped").is_zombie());
    let error = Process::open(child.pid(), child.start_time()).expect_err("a zombie");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_process_is_found_again_only_by_its_start_time() {
    let mut child = Spawn::new("sleep").arg("1000").spawn().expect("starts");
    let found = Process::open(child.pid(), child.start_time()).expect("the same process");
    assert_eq!(found.cmdline().expect("readable")[1], b"1000");
    assert!(found.executable().expect("readable").is_absolute());
    let other = Process::open(child.pid(), child.start_time() + 1).expect_err("another process");
    assert_eq!(other.kind(), io::ErrorKind::NotFound);
    found.signal(Signal::SIGTERM).expect("sent");
    found.ended().await.expect("seen");
    assert_eq!(child.exited().await.expect("reaped"), Exit::Signal(15));
    assert!(Process::open_pid(child.pid()).is_err());
}

#[tokio::test]
async fn only_named_descriptors_reach_the_child() {
    let (_leak_read, leak) = nix::unistd::pipe2(nix::fcntl::OFlag::empty()).expect("a pipe without close-on-exec");
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
    let (_kept_read, kept) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
    let mut spawn = Spawn::new("sh").args(["-c", "ls /proc/$$/fd >&9"]).fd(write, 9);
    let kept = spawn.pass(kept);
    let mut child = spawn.spawn().expect("starts");
    let mut listed = String::new();
    std::fs::File::from(read).read_to_string(&mut listed).expect("readable");
    let mut numbers: Vec<i32> = listed.split_whitespace().map(|it| it.parse().expect("a number")).collect();
    numbers.sort_unstable();
    // dash may hold the redirected descriptor's saved copy; the leaked one must not be there.
    assert!(!numbers.contains(&leak.as_raw_fd()), "{numbers:?}");
    for expected in [0, 1, 2, 9, kept] {
        assert!(numbers.contains(&expected), "{numbers:?} has no {expected}");
    }
    assert!(child.exited().await.expect("reaped").success());
}

#[tokio::test]
async fn descriptors_may_swap_numbers() {
    let file = |text: &str| {
        let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
        nix::unistd::write(&write, text.as_bytes()).expect("written");
        read
    };
    let (a, b) = (file("a"), file("b"));
    let (to_a, to_b) = (b.as_raw_fd(), a.as_raw_fd());
    let out = Spawn::new("bash")
        .args(["-c".to_owned(), format!("cat /proc/self/fd/{to_a} - <&{to_b}")])
        .fd(a, to_a)
        .fd(b, to_b)
        .output(SOON)
        .await
        .expect("runs");
    assert_eq!(out.stdout, b"ab");
}

#[tokio::test]
async fn surroundings_are_as_asked() {
    let out = Spawn::new("/bin/sh")
        .arg0("shell")
        .args(["-c", "echo $0 $(pwd) $(umask) $A $B; ulimit -n; cut -d' ' -f6 /proc/$$/stat; echo $$"])
        .env_clear()
        .env("A", "1")
        .env("PATH", "/usr/bin:/bin")
        .cwd("/usr")
        .umask(0o027)
        .setsid()
        .rlimits([Rlimit { resource: nix::sys::resource::Resource::RLIMIT_NOFILE, soft: 55, hard: 66 }])
        .output(SOON)
        .await
        .expect("runs");
    let text = String::from_utf8(out.stdout).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(&lines[..2], ["shell /usr 0027 1", "55"]);
    assert_eq!(lines[2], lines[3], "leader of its own session");
}

#[tokio::test]
async fn identity_is_dropped_wholly() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let spawn = Spawn::new("grep").args(["-E", "^(Uid|Gid|Groups|CapEff|SigIgn|SigBlk):", "/proc/self/status"]);
    let out = spawn.uid_gid(65534, 65533, &[7, 8]).output(SOON).await.expect("runs");
    let text = String::from_utf8(out.stdout).expect("text");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("listed");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(value("Uid:"), "65534 65534 65534 65534");
    assert_eq!(value("Gid:"), "65533 65533 65533 65533");
    assert_eq!(value("Groups:"), "7 8");
    for empty in ["CapEff:", "SigIgn:", "SigBlk:"] {
        assert_eq!(value(empty), "0000000000000000", "{empty}");
    }
}

#[tokio::test]
async fn a_capability_outlives_the_change_of_identity() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let spawn = Spawn::new("grep").args(["-E", "^Cap(Prm|Eff|Amb):", "/proc/self/status"]);
    let out = spawn.uid_gid(65534, 65534, &[]).keep_capability(17).output(SOON).await.expect("runs");
    let text = String::from_utf8(out.stdout).expect("text");
    assert_eq!(text.lines().filter(|it| it.ends_with("0000000000020000")).count(), 3, "{text}");
}

#[tokio::test]
async fn failures_name_the_program_and_the_step() {
    let error = Spawn::new("no-such-program-anywhere").spawn().expect_err("missing");
    assert_eq!(error.to_string(), "there is no program no-such-program-anywhere");
    let error = Spawn::new("/etc/passwd").spawn().expect_err("not executable");
    assert_eq!(error.to_string(), "/etc/passwd: cannot execute it");
    let error = Spawn::new("/bin/true").cwd("/no/such/place").spawn().expect_err("no directory");
    assert_eq!(error.to_string(), "/bin/true: cannot change to its working directory");
    let error = Spawn::new("/bin/true").arg("a\0b").spawn().expect_err("a NUL");
    assert!(error.to_string().contains("NUL"), "{error}");
}

#[tokio::test]
async fn output_is_captured_fed_and_cut_short() {
    let out = Spawn::new("cat").output_with_input(vec![b'x'; 300_000], SOON).await.expect("runs");
    assert_eq!((out.exit, out.stdout.len()), (Exit::Code(0), 300_000));
    let out = Spawn::new("sh").args(["-c", "echo; echo why >&2; exit 3"]).output(SOON).await.expect("runs");
    assert_eq!((out.exit, out.last_error_line().as_str()), (Exit::Code(3), "why"));
    let begun = Instant::now();
    let error = Spawn::new("sleep").arg("1000").output(Duration::from_millis(100)).await.expect_err("late");
    assert!(matches!(error, OutputError::Late { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn orphans_are_reaped_and_own_children_are_not() {
    let mut own = Spawn::new("true").spawn().expect("starts");
    own.ended().await.expect("ends");
    let dropped = Spawn::new("sleep").arg("0.05").spawn().expect("starts");
    let watched = Process::open(dropped.pid(), dropped.start_time()).expect("runs");
    drop(dropped);
    watched.ended().await.expect("ends");
    reap_orphans();
    assert!(Stat::read(watched.pid()).is_err(), "reaped");
    assert!(own.exited().await.expect("still ours").success());
}

#[test]
fn starting_costs_the_same_for_a_large_process() {
    // 100 MiB of touched memory; a plain fork would copy its page tables.
    let ballast = vec![1_u8; 100 << 20];
    let begun = Instant::now();
    let rounds = 20;
    for _ in 0..rounds {
        Spawn::new("/bin/true").spawn().expect("starts").wait_blocking();
    }
    let each = begun.elapsed() / rounds;
    println!("start and end of /bin/true beside {} MiB: {each:?}", ballast.len() >> 20);
    assert!(each < Duration::from_millis(500));
}

/// A daemon with many descriptors open starts a guest that may have few.
#[tokio::test]
async fn limits_do_not_count_the_descriptors_of_this_process() {
    let null: Vec<_> = (0..80).map(|_| std::fs::File::open("/dev/null").expect("opened")).collect();
    let limit = Rlimit { resource: nix::sys::resource::Resource::RLIMIT_NOFILE, soft: 40, hard: 40 };
    let out = Spawn::new("sh").args(["-c", "ulimit -n"]).rlimits([limit]).output(SOON).await.expect("runs");
    assert_eq!((out.exit, out.stdout.as_slice()), (Exit::Code(0), b"40\n".as_slice()));
    drop(null);
}

#[tokio::test]
async fn a_late_tool_is_killed_and_reaped() {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
    let spawn = Spawn::new("sh").args(["-c", "echo $$ >&9; exec sleep 1000"]).fd(write, 9);
    spawn.output(Duration::from_millis(300)).await.expect_err("late");
    let mut pid = String::new();
    std::fs::File::from(read).read_to_string(&mut pid).expect("readable");
    let pid: i32 = pid.trim().parse().expect("a pid");
    let begun = Instant::now();
    while Stat::read(pid).is_ok() {
        assert!(begun.elapsed() < SOON, "{pid} was not reaped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
