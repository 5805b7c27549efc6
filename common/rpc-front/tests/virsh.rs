//! The front as the reference's own clients see it: virsh and virt-admin, unmodified, on a simulated daemon.
//!
//! Expected outputs are what libvirt 11.3 prints for the same commands against its own daemon.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(clippy::expect_used, reason = "a test's steps may fail the test")]
#![allow(clippy::disallowed_methods, reason = "the clients are run as a user runs them")]

mod stand;

use std::{
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use stand::{Stand, document};

/// What a command printed, and whether it said that it succeeded.
#[derive(Debug)]
struct Said {
    ok: bool,
    out: String,
    err: String,
}

/// Runs a client; `None` where it is not installed, which is said.
async fn run(program: &'static str, connection: String, args: &[&str], input: &'static str) -> Option<Said> {
    let args: Vec<String> = args.iter().map(|it| (*it).to_owned()).collect();
    let running = move || {
        let mut command = Command::new(program);
        command.arg("-c").arg(connection).args(args).env("LC_ALL", "C").env_remove("LIBVIRT_DEBUG");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match spawned {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            other => other.expect("runs"),
        };
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("reads its input");
        let output = child.wait_with_output().expect("ends");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Some(Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) })
    };
    let said = tokio::task::spawn_blocking(running).await.expect("no panic");
    if said.is_none() {
        eprintln!("SKIPPED: {program} is not installed (Debian: libvirt-clients)");
    }
    said
}

fn uri(stand: &Stand, socket: &str) -> String {
    format!("qemu+unix:///system?socket={}", stand.socket(socket).display())
}

async fn virsh(stand: &Stand, args: &[&str]) -> Option<Said> {
    run("virsh", uri(stand, "sock"), args, "").await
}

/// Runs each command and compares what it prints: standard output if it is to succeed, else the error.
async fn check(stand: &Stand, commands: &[(&str, bool, &str)]) -> Option<()> {
    for (line, ok, expected) in commands {
        let args: Vec<&str> = line.split(' ').collect();
        let said = virsh(stand, &args).await?;
        let printed = if *ok { &said.out } else { &said.err };
        assert_eq!((said.ok, printed.trim_end()), (*ok, expected.trim_end()), "virsh {line}: {said:?}");
    }
    Some(())
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lifecycle() {
    let stand = Stand::new();
    let file = write(stand.dir(), "a.xml", &document("a"));
    let (define, create) = (format!("define {file}"), format!("create {file} --paused"));
    let defined = format!("Domain 'a' defined from {file}\n");
    let created = format!("Domain 'a' created from {file}\n");
    let empty = " Id   Name   State\n--------------------\n";
    let running = " Id   Name   State\n----------------------\n 1    a      running\n";
    let off = " Id   Name   State\n-----------------------\n -    a      shut off\n";
    let _ = check(
        &stand,
        &[
            ("list --all", true, empty),
            (define.as_str(), true, defined.as_str()),
            ("list", true, empty),
            ("list --all", true, off),
            ("domstate a --reason", true, "shut off (unknown)"),
            ("start a", true, "Domain 'a' started"),
            ("list", true, running),
            ("domid a", true, "1"),
            ("domname 1", true, "a"),
            ("domstate a --reason", true, "running (booted)"),
            ("suspend a", true, "Domain 'a' suspended"),
            ("domstate a --reason", true, "paused (user)"),
            ("resume a", true, "Domain 'a' resumed"),
            ("reboot a", true, "Domain 'a' is being rebooted"),
            ("reset a", true, "Domain 'a' was reset"),
            ("domcontrol a", true, "ok"),
            ("domjobinfo a", true, "Job type:         None        "),
            ("send-key a KEY_ENTER", true, ""),
            ("inject-nmi a", true, ""),
            ("qemu-monitor-command a --hmp info", true, "simulated: info\r"),
            ("shutdown a", true, "Domain 'a' is being shutdown"),
            ("start a", true, "Domain 'a' started"),
            ("destroy a", true, "Domain 'a' destroyed"),
            (
                "destroy a",
                false,
                "error: Failed to destroy domain 'a'\n\
              error: Requested operation is not valid: domain is not running",
            ),
            ("autostart a", true, "Domain 'a' marked as autostarted"),
            ("domrename a b", true, "Domain successfully renamed"),
            ("domrename b a", true, "Domain successfully renamed"),
            ("undefine a --managed-save --snapshots-metadata --nvram", true, "Domain 'a' has been undefined"),
            ("start a", false, "error: failed to get domain 'a'"),
            (&create, true, &created),
            ("domstate a --reason", true, "paused (user)"),
            ("destroy a --graceful", true, "Domain 'a' destroyed"),
            ("list --all", true, empty),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_domain() {
    let stand = Stand::new();
    let file = write(stand.dir(), "a.xml", &document("a"));
    let define = format!("define {file}");
    let defined = format!("Domain 'a' defined from {file}\n");
    let commands = [
        (define.as_str(), true, defined.as_str()),
        ("desc a --config --title Hello", true, "Domain title updated successfully"),
        ("desc a --title", true, "Hello"),
        ("desc a", true, "No description for domain: a"),
        ("metadata a urn:k --key k --set <x/> --config", true, "Metadata modified"),
        ("metadata a urn:k", true, "<x/>"),
        ("metadata a urn:other", true, ""),
        (
            "list --all --title",
            true,
            " Id   Name   State      Title\n-------------------------------\n \
              -    a      shut off   Hello\n",
        ),
        ("vcpucount a --maximum --config", true, "2"),
        ("start a", true, "Domain 'a' started"),
        ("snapshot-list a", true, " Name   Creation Time   State\n-------------------------------\n"),
    ];
    let Some(()) = check(&stand, &commands).await else { return };
    let info = virsh(&stand, &["dominfo", "a"]).await.expect("installed").out;
    for line in [
        "OS Type:        hvm",
        "State:          running",
        "CPU(s):         1",
        "Max memory:     65536 KiB",
        "Used memory:    32768 KiB",
        "Persistent:     yes",
        "Autostart:      disable",
        "Managed save:   no",
        "Security model: none",
    ] {
        assert!(info.lines().any(|it| it == line), "{line:?} in {info}");
    }
    let xml = virsh(&stand, &["dumpxml", "a"]).await.expect("installed").out;
    assert!(xml.starts_with("<domain type='qemu' id='1'>\n  <name>a</name>\n  <uuid>"), "{xml}");
    let node = virsh(&stand, &["nodeinfo"]).await.expect("installed").out;
    assert!(node.contains("CPU(s):              2\n"), "{node}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_read_as_users_know_them() {
    let stand = Stand::new();
    let bad = write(stand.dir(), "bad.xml", "<domain");
    let said = virsh(&stand, &["define", &bad]).await;
    let Some(said) = said else { return };
    assert!(!said.ok && said.err.starts_with(&format!("error: Failed to define domain from {bad}\n")), "{said:?}");

    let file = write(stand.dir(), "a.xml", &document("a"));
    for (connection, args) in
        [(uri(&stand, "sock-ro"), vec!["define", &file]), (uri(&stand, "sock"), vec!["-r", "define", &file])]
    {
        let said = run("virsh", connection, &args, "").await.expect("installed");
        let text = "error: operation forbidden: read only access prevents virDomainDefineXML";
        assert!(!said.ok && said.err.contains(text), "{said:?}");
    }
    virsh(&stand, &["define", &file]).await.expect("installed");
    let said = run("virsh", uri(&stand, "sock-ro"), &["dumpxml", "--security-info", "a"], "").await.expect("installed");
    assert_eq!(said.err.trim_end(), "error: operation forbidden: virDomainGetXMLDesc with secure flag");

    let wrong = uri(&stand, "sock").replace("/system", "/session");
    let said = run("virsh", wrong, &["list"], "").await.expect("installed");
    let text = "error: internal error: unexpected qemu URI path '/session', try qemu:///system";
    assert!(said.err.contains(text), "{said:?}");
    let said = virsh(&stand, &["sysinfo"]).await.expect("installed");
    let text = "error: this function is not supported by the connection driver: virConnectGetSysinfo";
    assert!(said.err.contains(text), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_printed_as_they_come() {
    let stand = Stand::new();
    let connection = uri(&stand, "sock");
    let listen = async |args: &[&str]| {
        let spawned = Command::new("virsh")
            .arg("-c")
            .arg(&connection)
            .args(args)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let child = spawned.ok()?;
        // It has registered when it is the last client and has been answered; a moment is enough.
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        Some(child)
    };
    let Some(mut events) = listen(&["event", "--all", "--loop"]).await else {
        eprintln!("SKIPPED: virsh is not installed (Debian: libvirt-clients)");
        return;
    };
    let mut monitor = listen(&["qemu-monitor-event", "--loop", "--regex", "--event", "SIM.*"]).await.expect("runs");
    let file = write(stand.dir(), "a.xml", &document("a"));
    for args in [
        vec!["create", &file],
        vec!["suspend", "a"],
        vec!["reset", "a"],
        vec!["qemu-monitor-command", "a", "{}"],
        vec!["destroy", "a"],
    ] {
        let said = virsh(&stand, &args).await.expect("installed");
        assert!(said.ok, "{args:?}: {said:?}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let mut printed = String::new();
    for child in [&mut events, &mut monitor] {
        child.kill().expect("runs still");
        child.stdout.take().expect("piped").read_to_string(&mut printed).expect("text");
        child.wait().expect("ends");
    }
    let expected = "event 'lifecycle' for domain 'a': Resumed Unpaused\n\
        event 'lifecycle' for domain 'a': Started Booted\n\
        event 'lifecycle' for domain 'a': Suspended Paused\n\
        event 'reboot' for domain 'a'\n\
        event 'lifecycle' for domain 'a': Shutdown Finished after host request\n\
        event 'lifecycle' for domain 'a': Stopped Destroyed\n\
        event SIMULATED at 0.000000 for domain 'a': {}\n";
    assert_eq!(printed, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_and_screens() {
    let stand = Stand::new();
    let file = write(stand.dir(), "a.xml", &document("a"));
    let Some(said) = virsh(&stand, &["create", &file]).await else { return };
    assert!(said.ok, "{said:?}");
    let picture = stand.dir().join("screen.ppm").display().to_string();
    let said = virsh(&stand, &["screenshot", "a", &picture]).await.expect("installed");
    assert_eq!(said.out.trim_end(), format!("Screenshot saved to {picture}, with type of image/x-portable-pixmap"));
    assert_eq!(std::fs::metadata(&picture).expect("a file").len(), 15 + 640 * 480 * 3);

    // A console wants a terminal; script(1) of util-linux gives it one.
    let typing = "{ sleep 1; printf 'hello\\r'; sleep 0.5; printf '\\035'; sleep 0.3; }";
    let command = format!("{typing} | script -qec \"virsh -c '{}' console a\" /dev/null", uri(&stand, "sock"));
    let running = move || Command::new("sh").arg("-c").arg(command).env("LC_ALL", "C").output();
    let output = tokio::task::spawn_blocking(running).await.expect("no panic").expect("runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Connected to domain 'a'"), "{said}");
    let echoes = said.matches("hello").count();
    assert!(echoes >= 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_goes_with_its_client() {
    let stand = Stand::new();
    let file = write(stand.dir(), "a.xml", &document("a"));
    let script: &'static str = Box::leak(format!("create {file} --autodestroy\nlist --name\n").into_boxed_str());
    let Some(said) = run("virsh", uri(&stand, "sock"), &[], script).await else { return };
    assert!(said.out.contains("created from"), "{said:?}");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(virsh(&stand, &["list", "--all", "--name"]).await.expect("installed").out.trim(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_see_servers_and_clients() {
    let stand = Stand::new();
    let client = stand.client().await;
    let connection = format!("virtqemud:///system?socket={}", stand.socket("admin-sock").display());
    let admin = async |args: &[&str]| run("virt-admin", connection.clone(), args, "").await;
    let Some(said) = admin(&["server-list"]).await else { return };
    assert_eq!(said.out.trim_end(), " Id   Name\n-----------------\n 0    virtqemud\n 1    admin", "{said:?}");
    let said = admin(&["client-list", "virtqemud"]).await.expect("installed");
    assert!(said.out.contains(" 1    unix"), "{said:?}");
    let said = admin(&["client-info", "virtqemud", "1"]).await.expect("installed");
    assert!(said.out.contains(&format!("unix_process_id: {}", std::process::id())), "{said:?}");
    assert!(said.out.contains("readonly       : no"), "{said:?}");
    let said = admin(&["server-clients-info", "virtqemud"]).await.expect("installed");
    assert!(said.out.contains("nclients_max        : 5000"), "{said:?}");
    let said = admin(&["client-info", "virtqemud", "99"]).await.expect("installed");
    assert!(said.err.contains("Client not found: No client with matching ID '99'"), "{said:?}");
    let said = admin(&["client-disconnect", "virtqemud", "1"]).await.expect("installed");
    assert!(said.ok, "{said:?}");
    client.ended().await;
}
