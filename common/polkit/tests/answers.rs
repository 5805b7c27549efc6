//! Each answer that polkit can give, from a stand-in on a bus of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test starts the bus as a user would")]

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use virtbus_polkit::{MANAGE, MONITOR, Polkit, Refusal, Whom};
use zbus::{Connection, OwnedVariant};

const WHO: Whom<'_> = Whom::Process { uid: 1000, pid: 4711, start_time: Some(99) };

struct Bus {
    daemon: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn bus() -> Bus {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("bus.conf");
    let text = format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><policy context='default'>\
         <allow send_destination='*'/><allow receive_sender='*'/><allow own='*'/></policy></busconfig>",
        directory.path().join("bus").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut daemon = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", config.display()))
        .args(["--nofork", "--print-address"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("dbus-daemon is installed");
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
    Bus { daemon, address: address.trim().to_owned(), _directory: directory }
}

/// Answers by the action, and by what it is told of the subject.
struct Authority;

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    async fn check_authorization(
        &self,
        subject: (String, HashMap<String, OwnedVariant>),
        action: &str,
        _details: HashMap<String, String>,
        flags: u32,
        _cancellation: &str,
    ) -> (bool, bool, HashMap<String, String>) {
        assert_eq!(subject.0, "unix-process");
        assert_eq!(u32::try_from(subject.1["pid"].try_clone().unwrap()).unwrap(), 4711);
        assert_eq!(u64::try_from(subject.1["start-time"].try_clone().unwrap()).unwrap(), 99);
        assert_eq!(i32::try_from(subject.1["uid"].try_clone().unwrap()).unwrap(), 1000);
        let dismissed = HashMap::from([("polkit.dismissed".to_owned(), "true".to_owned())]);
        match (action, flags) {
            (MONITOR, _) => (true, false, HashMap::new()),
            (MANAGE, 0) => (false, true, HashMap::new()),
            (MANAGE, _) => (false, false, dismissed),
            ("x.stuck", _) => std::future::pending().await,
            _ => (false, false, HashMap::new()),
        }
    }
}

async fn authority(bus: &Bus) -> Connection {
    zbus::connection::Builder::address(bus.address.as_str())
        .name("org.freedesktop.PolicyKit1")
        .serve_at("/org/freedesktop/PolicyKit1/Authority", Authority)
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn every_answer_is_told_apart() {
    let bus = bus();
    let polkit = Polkit::at(&bus.address).with_deadline(Duration::from_millis(500));
    let absent = polkit.check(WHO, MANAGE, false).await.unwrap_err();
    assert!(matches!(&absent, Refusal::Absent { action, .. } if action == MANAGE), "{absent}");
    let _authority = authority(&bus).await;
    assert_eq!(polkit.check(WHO, MONITOR, false).await, Ok(()));
    assert_eq!(polkit.check(WHO, MANAGE, false).await, Err(Refusal::NoAgent(MANAGE.to_owned())));
    assert_eq!(polkit.check(WHO, MANAGE, true).await, Err(Refusal::Cancelled));
    assert_eq!(polkit.check(WHO, "x.other", false).await, Err(Refusal::Denied));
}

#[tokio::test]
async fn who_is_stuck_waits_alone_and_not_for_ever() {
    let bus = bus();
    let polkit = Polkit::at(&bus.address).with_deadline(Duration::from_millis(700));
    let _authority = authority(&bus).await;
    let begun = Instant::now();
    let stuck = polkit.check(WHO, "x.stuck", false);
    let other = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        polkit.check(WHO, MONITOR, false).await.unwrap();
        begun.elapsed()
    };
    let (stuck, other) = tokio::join!(stuck, other);
    assert!(matches!(stuck, Err(Refusal::Failed { .. })), "{stuck:?}");
    assert!(other < Duration::from_millis(500), "{other:?}");
    // Many who wait are not a queue for others: they are told at once.
    let waiting: Vec<_> = (0..64).map(|_| polkit.check(WHO, "x.stuck", false)).collect();
    let one_more = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        polkit.check(WHO, MONITOR, false).await
    };
    let all = async {
        let mut waiting: Vec<_> = waiting.into_iter().map(Box::pin).collect();
        let mut ended = 0;
        for it in &mut waiting {
            // All of them are polled for the first time before any is waited for.
            assert!(tokio::time::timeout(Duration::ZERO, it).await.is_err());
        }
        for it in waiting {
            assert!(matches!(it.await, Err(Refusal::Failed { .. })));
            ended += 1;
        }
        ended
    };
    let (ended, one_more) = tokio::join!(all, one_more);
    assert_eq!(ended, 64);
    assert!(matches!(&one_more, Err(Refusal::Failed { why, .. }) if why.contains("64")), "{one_more:?}");
}

#[tokio::test]
async fn no_bus_is_no_polkit() {
    let polkit = Polkit::at("unix:path=/nonexistent/bus");
    assert!(matches!(polkit.check(WHO, MONITOR, true).await, Err(Refusal::Absent { .. })));
}
