//! A daemon from start to end, as a process: this test starts itself as one.
//!
//! Without a test harness, because the process must be a daemon's: no threads before `main`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use virtbus_daemon::activation::{BoundFiles, Role, listen, wanted};
use virtbus_daemon::drain::{DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::{Program, Tasks, notify, start};
use virtbus_host::process::{Exit, Output, Process, Spawn};

const PROGRAM: Program =
    Program { name: "virttestd", about: "A daemon for tests", version: "0.1.0", libvirt: "11.3.0" };
const SOON: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if std::env::var_os("VIRTBUS_TEST_DAEMON").is_some() {
        return daemon().unwrap_or_else(|code| code);
    }
    // Named in the output as a harness would.
    for (name, check) in [
        ("a wrong value ends it with 64", wrong_config as fn(&Path)),
        ("it goes to the background, serves, reloads and stops", background),
        ("it leaves when idle", idle),
        ("it adopts the sockets it is given", adopted),
    ] {
        let root = tempfile::tempdir().expect("a directory");
        check(root.path());
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// What a `main` looks like.
fn daemon() -> Result<ExitCode, ExitCode> {
    let mut started = start(PROGRAM)?;
    let runtime = started.runtime()?;
    let passed = std::mem::take(&mut started.passed);
    started.warn_of_unknown_keys();
    let code = runtime.block_on(async {
        let sockets = wanted(PROGRAM.name, PROGRAM.name, &started.paths, &started.config);
        let listeners =
            listen(&sockets, passed).map_err(|error| virtbus_daemon::start::exit_for(PROGRAM.name, &error))?;
        let _files = BoundFiles::of(&listeners);
        let (tasks, supervisor) = Tasks::new();
        let (clients, seen) = watch::channel(0_usize);
        for listener in listeners {
            let (stop, clients) = (tasks.stop_token(), clients.clone());
            tasks.essential(format!("accept {}", listener.path.display()), async move {
                let role = listener.role;
                let listener = tokio::net::UnixListener::from_std(listener.listener)?;
                loop {
                    tokio::select! {
                        () = stop.cancelled() => return Ok::<(), std::io::Error>(()),
                        client = listener.accept() => {
                            clients.send_modify(|count| *count += 1);
                            let word = if role == Role::ReadOnly { "read" } else { "write" };
                            client?.0.write_all(word.as_bytes()).await?;
                            clients.send_modify(|count| *count -= 1);
                        }
                    }
                }
            });
        }
        let signals = Signals::watch().expect("signals");
        notify::ready();
        let life = Life { signals, supervisor, idle_timeout: started.args.idle_timeout(), counts: vec![seen] };
        let reason = life
            .until_stopped(|| async {
                if let Err(error) = started.reload() {
                    tracing::error!("{error}");
                }
            })
            .await;
        Ok(drain(&tasks, &reason, DEADLINE).await)
    });
    drop(started);
    code
}

fn spawn(root: &Path, args: &[&str]) -> Spawn {
    let spawn = Spawn::new(std::env::current_exe().expect("known")).env("VIRTBUS_TEST_DAEMON", "1");
    spawn.env("LIBVIRT_DEBUG", "").arg("--root").arg(root).args(args)
}

fn run(spawn: Spawn) -> Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(spawn.output(SOON)).expect("runs")
}

fn configure(root: &Path, text: &str) {
    let directory = root.join("etc/libvirt");
    std::fs::create_dir_all(&directory).expect("made");
    std::fs::write(directory.join("virttestd.conf"), text).expect("written");
}

fn ask(socket: &Path) -> String {
    let mut answer = String::new();
    UnixStream::connect(socket).expect("answers").read_to_string(&mut answer).expect("readable");
    answer
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < SOON, "{what}");
        #[allow(clippy::disallowed_methods, reason = "a test without a runtime")]
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wrong_config(root: &Path) {
    configure(root, "# first\nmax_clients = \"many\"\n");
    let output = run(spawn(root, &[]));
    assert_eq!(output.exit, Exit::Code(64));
    let file = root.join("etc/libvirt/virttestd.conf");
    let expected = format!("virttestd: {}:2: max_clients: expected an unsigned integer below 2^32", file.display());
    assert_eq!(output.last_error_line(), expected);
}

fn background(root: &Path) {
    let log = root.join("log");
    configure(root, &format!("no_such_key = 1\nlog_outputs = \"1:file:{}\"\n", log.display()));
    let output = run(spawn(root, &["-d"]));
    assert!(output.exit.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pid_file = root.join("run/virttestd.pid");
    let pid: i32 = std::fs::read_to_string(&pid_file).expect("a pid file").trim().parse().expect("a pid");
    let process = Process::open_pid(pid).expect("it runs");
    let socket = root.join("run/libvirt/virttestd-sock");
    assert_eq!((ask(&socket), ask(&root.join("run/libvirt/virttestd-sock-ro"))), ("write".into(), "read".into()));
    let second = run(spawn(root, &[]));
    assert_eq!(second.exit, Exit::Code(1));
    assert!(second.last_error_line().contains(&format!("another daemon (pid {pid}) holds")));
    let logged = || std::fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<String> = logged().lines().map(str::to_owned).collect();
    assert!(lines[0].contains(": info : libvirt version: 11.3.0, ") && lines[1].contains(": info : hostname: "));
    let words: Vec<&str> = lines[2].splitn(7, ' ').collect();
    assert!(words[0].len() == 10 && words[1].ends_with("+0000:") && words[2].ends_with(':'), "{}", lines[2]);
    assert_eq!(&words[3..5], ["warning", ":"], "{}", lines[2]);
    assert!(lines[2].ends_with("virttestd.conf:1: no_such_key is not known here and is ignored"), "{}", lines[2]);
    assert_eq!(lines.len(), 3, "information is not asked for: {lines:?}");
    configure(root, &format!("log_level = 2\nlog_outputs = \"1:file:{}\"\n", log.display()));
    process.signal(Signal::SIGHUP).expect("sent");
    until("the reload", || logged().contains("the configuration was read again"));
    process.signal(Signal::SIGTERM).expect("sent");
    until("the end", || !process.is_alive());
    assert!(logged().contains(" : stopping: a signal asked for it"), "{}", logged());
    assert!(!pid_file.exists() && !socket.exists());
}

fn idle(root: &Path) {
    let begun = Instant::now();
    let output = run(spawn(root, &["--timeout", "1"]));
    assert!(output.exit.success() && begun.elapsed() >= Duration::from_secs(1));
}

fn adopted(root: &Path) {
    let path = root.join("run/libvirt/virttestd-sock");
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    let listener = UnixListener::bind(&path).expect("binds");
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=virttestd.socket exec \"$@\"";
    let child = Spawn::new("sh")
        .args(["-c", script, "sh"])
        .arg(std::env::current_exe().expect("known"))
        .arg("--root")
        .arg(root)
        .env("VIRTBUS_TEST_DAEMON", "1")
        .fd(listener.into(), 3)
        .spawn()
        .expect("starts");
    assert_eq!(ask(&path), "write");
    assert!(!root.join("run/libvirt/virttestd-sock-ro").exists(), "what is not passed stays out");
    child.signal(Signal::SIGINT).expect("sent");
    until("the end", || !child.is_alive());
    assert!(path.exists(), "the service manager's");
    std::io::stdout().flush().expect("flushed");
}
