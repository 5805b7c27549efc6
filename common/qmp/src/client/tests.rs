//! The client against a QEMU played by the test, and against a real one where it is installed.

use std::os::unix::net::UnixStream as StdUnixStream;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use virtbus_host::process::{Spawn, find_program};

use super::*;
use crate::commands::*;
use crate::events::Kind;

const SOON: Duration = Duration::from_secs(20);
const GREETING: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}"#;

struct Qemu {
    read: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Qemu {
    async fn start() -> (Client, Events, Self) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (client, events) = Client::new(ours.into_std().expect("a socket"), "domain vm1").expect("watched");
        let (read, write) = theirs.into_split();
        let mut qemu = Self { read: BufReader::new(read).lines(), write };
        qemu.say(GREETING).await;
        let hello = qemu.hear().await;
        assert_eq!(hello["execute"], "qmp_capabilities");
        qemu.answer(&hello, json!({})).await;
        (client, events, qemu)
    }

    async fn say(&mut self, text: &str) {
        self.write.write_all(format!("{text}\r\n").as_bytes()).await.expect("written");
    }

    async fn hear(&mut self) -> Value {
        let line = self.read.next_line().await.expect("readable").expect("open");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn answer(&mut self, command: &Value, value: Value) {
        self.say(&json!({"return": value, "id": command["id"]}).to_string()).await;
    }
}

#[tokio::test]
async fn replies_find_their_commands_in_any_order() {
    let (client, mut events, mut qemu) = Qemu::start().await;
    assert_eq!(client.ready(SOON).await.expect("ready").version.qemu.major, 10);
    let mut batch = client.batch();
    let (status, stop) = (batch.add(&QueryStatus), batch.add(&Stop));
    batch.send();
    let (first, second) = (qemu.hear().await, qemu.hear().await);
    assert_eq!((&first["execute"], &second["execute"]), (&json!("query-status"), &json!("stop")));
    assert!(first.get("arguments").is_none());
    qemu.say(r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#).await;
    qemu.answer(&second, json!({})).await;
    qemu.answer(&first, json!({"status": "running", "running": true})).await;
    stop.reply(SOON).await.expect("stopped");
    assert!(status.reply(SOON).await.expect("status").running);
    assert_eq!(events.next().await.expect("an event").kind, Kind::Stop);
}

#[tokio::test]
async fn errors_are_qemus() {
    let (client, _events, mut qemu) = Qemu::start().await;
    let unplug = DeviceDel { id: "x".into() };
    let call = tokio::join!(client.execute(&unplug, SOON), async {
        let command = qemu.hear().await;
        assert_eq!(command["arguments"], json!({"id": "x"}));
        let error = json!({"class": "DeviceNotFound", "desc": "Device 'x' not found"});
        qemu.say(&json!({"error": error, "id": command["id"]}).to_string()).await;
    });
    let error = call.0.expect_err("refused");
    assert!(error.qmp().expect("QEMU's").is_unknown_device());
    assert_eq!(error.to_string(), "'device_del' failed");
    let call = tokio::join!(client.execute(&QueryStatus, SOON), async {
        let command = qemu.hear().await;
        qemu.answer(&command, json!({"status": 5})).await;
    });
    assert!(matches!(call.0, Err(Error::Reply { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_qemu_is_named_and_late_answers_harm_nobody() {
    let (client, _events, mut qemu) = Qemu::start().await;
    client.ready(SOON).await.expect("ready");
    let error = client.execute(&QueryStatus, Duration::from_secs(5)).await.expect_err("late");
    assert!(matches!(&error, Error::Timeout { command, behind: None, .. } if command == "query-status"), "{error}");
    assert_eq!(error.to_string(), "monitor of domain vm1 has not answered 'query-status' for 5 s");
    assert_eq!(client.waiting().expect("stuck").command, "query-status");
    let error = client.execute(&Cont, Duration::from_secs(5)).await.expect_err("late as well");
    let expected = "monitor of domain vm1 has not answered 'query-status' for 10 s ('cont' waits behind it)";
    assert_eq!(error.to_string(), expected);
    let (status, cont) = (qemu.hear().await, qemu.hear().await);
    qemu.answer(&status, json!({"status": "running", "running": true})).await;
    qemu.answer(&cont, json!({})).await;
    let stop = client.submit(&Stop);
    let command = qemu.hear().await;
    qemu.answer(&command, json!({})).await;
    stop.reply(SOON).await.expect("its own answer");
    assert_eq!(client.waiting(), None);
}

#[tokio::test]
async fn a_command_given_up_before_it_was_sent_is_taken_back() {
    let (client, _events, mut qemu) = Qemu::start().await;
    client.ready(SOON).await.expect("ready");
    // Nobody reads: the socket fills up, and the last commands stay here.
    let filler = json!({"x": "y".repeat(1 << 20)});
    let mut tickets = Vec::new();
    for _ in 0..4 {
        tickets.push(client.submit(&ObjectAdd(filler.clone())));
    }
    let quit = client.submit(&Quit);
    let cont = client.submit(&Cont);
    drop(quit);
    let mut heard = Vec::new();
    for _ in 0..5 {
        let command = qemu.hear().await;
        heard.push(command["execute"].as_str().expect("a name").to_owned());
        qemu.answer(&command, json!({})).await;
    }
    cont.reply(SOON).await.expect("answered");
    assert_eq!(heard.last().map(String::as_str), Some("cont"));
    assert!(!heard.contains(&"quit".to_owned()));
}

#[tokio::test]
async fn the_end_of_the_connection_is_told_to_all() {
    let (client, mut events, qemu) = Qemu::start().await;
    client.ready(SOON).await.expect("ready");
    let waiting = client.submit(&QueryStatus);
    drop(qemu);
    let error = waiting.reply(SOON).await.expect_err("gone").to_string();
    assert!(error.starts_with("monitor of domain vm1 is gone ("), "{error}");
    client.closed().await;
    assert!(client.is_closed() && events.next().await.is_none());
    assert!(matches!(client.execute(&Cont, SOON).await, Err(Error::Disconnected { .. })));
    assert_eq!(client.waiting(), None);
}

#[tokio::test]
async fn garbage_closes_the_connection() {
    for garbage in ["{\"return\": [", "hello", "\u{0}\u{1}", "{}"] {
        let (client, _events, mut qemu) = Qemu::start().await;
        let waiting = client.submit(&QueryStatus);
        qemu.say(garbage).await;
        assert!(waiting.reply(SOON).await.is_err());
        assert!(client.closed().await.contains("not QMP"));
    }
}

#[tokio::test]
async fn a_flood_of_events_waits_and_none_is_lost() {
    let (client, mut events, mut qemu) = Qemu::start().await;
    let flood = 5 * MOST_EVENTS;
    let talk = async {
        for number in 0..flood {
            qemu.say(&format!("{{\"event\": \"RTC_CHANGE\", \"data\": {{\"offset\": {number}}}}}")).await;
        }
        qemu
    };
    let hear = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for number in 0..flood {
            let Kind::RtcChange(change) = events.next().await.expect("open").kind else { panic!("an RTC change") };
            assert_eq!(change.offset, i64::try_from(number).expect("small"));
        }
    };
    let (mut qemu, ()) = tokio::join!(talk, hear);
    // And an owner that went away holds up nobody.
    drop(events);
    for _ in 0..2 * MOST_EVENTS {
        qemu.say("{\"event\": \"RESUME\"}").await;
    }
    let status = client.submit(&QueryStatus);
    let command = qemu.hear().await;
    qemu.answer(&command, json!({"status": "running", "running": true})).await;
    status.reply(SOON).await.expect("answered");
}

#[tokio::test]
async fn descriptors_travel_with_their_command() {
    let (ours, theirs) = StdUnixStream::pair().expect("a pair");
    let (client, _events) = Client::new(ours, "domain vm1").expect("watched");
    let (pipe, end) = nix::unistd::pipe().expect("a pipe");
    drop(pipe);
    let mut batch = client.batch();
    let before = batch.add(&Stop);
    let with = batch.add_with_fds(&GetFd { fdname: "net0".into() }, vec![end]);
    batch.send();
    tokio::task::yield_now().await;
    let heard = tokio::task::spawn_blocking(move || {
        use nix::sys::socket::{MsgFlags, recvmsg};
        use std::os::fd::AsRawFd;
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(heard.last().map_or(&[][..], |it: &(Vec<u8>, usize)| &it.0)).contains("getfd") {
            let mut buffer = [0_u8; 4096];
            let mut space = nix::cmsg_space!([i32; 4]);
            let mut slices = [std::io::IoSliceMut::new(&mut buffer)];
            let message = recvmsg::<()>(theirs.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::empty());
            let message = message.expect("received");
            let count = message.cmsgs().expect("whole").count();
            let bytes = message.bytes;
            heard.push((buffer[..bytes].to_vec(), count));
        }
        heard
    });
    let heard = heard.await.expect("no panic");
    let (last, others) = heard.split_last().expect("something");
    assert_eq!(last.1, 1, "the descriptor comes with getfd");
    assert!(others.iter().all(|(_, count)| *count == 0));
    drop((before, with));
}

/// Real QEMU, if it is here: greeting, commands, events, the human monitor, a descriptor, the end.
#[tokio::test]
async fn a_real_qemu_answers() {
    let Some(program) = find_program("qemu-system-x86_64") else { return };
    let (ours, theirs) = StdUnixStream::pair().expect("a pair");
    let args = ["-machine", "none", "-nodefaults", "-display", "none", "-S"];
    let mut child = Spawn::new(program)
        .args(args)
        .args(["-chardev", "socket,id=mon,fd=3", "-mon", "chardev=mon,mode=control"])
        .fd(theirs.into(), 3)
        .spawn()
        .expect("starts");
    let (client, mut events) = Client::new(ours, "domain vm1").expect("watched");
    let mut batch = client.batch();
    let (status, version) = (batch.add(&QueryStatus), batch.add(&QueryVersion));
    batch.send();
    assert_eq!(status.reply(SOON).await.expect("status").status, RunState::Prelaunch);
    let greeting = client.ready(SOON).await.expect("ready");
    assert_eq!(version.reply(SOON).await.expect("version"), greeting.version);
    assert!(client.execute(&QueryCommands, SOON).await.expect("commands").len() > 100);
    assert!(client.execute(&QueryMachines, SOON).await.expect("machines").iter().any(|it| it.name == "none"));
    assert!(!client.execute(&QueryCpuDefinitions, SOON).await.expect("models").is_empty());
    assert!(client.execute(&QueryQmpSchema, SOON).await.expect("a schema").len() > 100);
    assert_eq!(client.execute(&QueryTarget, SOON).await.expect("a target").arch, "x86_64");
    assert!(client.execute(&QueryKvm, SOON).await.is_ok());
    let list = DeviceListProperties { typename: "virtio-blk-pci".into() };
    assert!(!client.execute(&list, SOON).await.expect("properties").is_empty());
    let chardevs = client.execute(&QueryChardev, SOON).await.expect("chardevs");
    assert!(chardevs.iter().any(|it| it.label == "mon"));
    assert!(client.human("info status", SOON).await.expect("text").contains("VM status"));
    let (_read, write) = nix::unistd::pipe().expect("a pipe");
    let added = client.execute_with_fds(&AddFd::default(), vec![write], SOON).await.expect("added");
    let sets = client.execute(&QueryFdsets, SOON).await.expect("sets");
    assert_eq!(sets[0].fds[0].fd, added.fd);
    let unknown = client.execute_value("no-such-command", &Value::Null, SOON).await.expect_err("unknown");
    assert!(unknown.qmp().expect("QEMU's").is_unknown_command());
    client.execute(&Quit, SOON).await.expect("ends");
    let Kind::Shutdown(shutdown) = events.next().await.expect("an event").kind else { panic!("a shutdown") };
    assert_eq!(shutdown.reason, "host-qmp-quit");
    client.closed().await;
    assert!(child.exited().await.expect("reaped").success());
}
