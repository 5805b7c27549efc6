//! Starting and ending a guest, beside the bare QEMU with the same arguments: what the daemon adds to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use virtbus_proto::table::domain::{DomainCreateWithFlags, DomainDefineXml, DomainDestroy};
use virtbus_proto::types::Domain;

use super::report::Report;
use super::side::Side;
use super::{GUEST, calls, definitions::document};
use crate::command::program;
use crate::processes;

const ROUNDS: usize = 20;
const NAME: &str = "bench-guest";
/// `VIR_DOMAIN_START_PAUSED`.
const PAUSED: u32 = 1;

pub(super) fn run(sides: &mut [Side], report: &mut Report) -> Result<()> {
    eprintln!("bench: guests");
    processes::adopt_guests()?;
    let mut clients = sides.iter().map(Side::client).collect::<Result<Vec<_>>>()?;
    let mut domains = Vec::new();
    for client in &mut clients {
        domains.push(client.call(&DomainDefineXml { xml: document(NAME, "") })?.dom);
    }
    let mut argv = None;
    for round in 0..=ROUNDS {
        for ((side, client), domain) in sides.iter().zip(&mut clients).zip(&domains) {
            let (create, destroy) = create_and_destroy(client, domain, &mut argv)?;
            if round > 0 {
                report.add(GUEST[0], "ms", side.column(), &[create]);
                report.add(GUEST[1], "ms", side.column(), &[destroy]);
            }
        }
        let argv = argv.as_deref().context("no guest was seen")?;
        let (create, destroy) = bare(argv)?;
        if round > 0 {
            report.add(GUEST[0], "ms", "bare QEMU", &[create]);
            report.add(GUEST[1], "ms", "bare QEMU", &[destroy]);
        }
    }
    for (client, dom) in clients.iter_mut().zip(domains) {
        calls::undefine(client, dom)?;
    }
    Ok(())
}

fn create_and_destroy(
    client: &mut crate::client::Client,
    domain: &Domain,
    argv: &mut Option<Vec<String>>,
) -> Result<(f64, f64)> {
    let begin = Instant::now();
    client.call(&DomainCreateWithFlags { dom: domain.clone(), flags: PAUSED })?;
    let create = millis(begin);
    if argv.is_none() {
        *argv = Some(arguments_of(NAME)?);
    }
    let begin = Instant::now();
    client.call(&DomainDestroy { dom: domain.clone() })?;
    Ok((create, millis(begin)))
}

/// The arguments of the running QEMU of that guest.
fn arguments_of(name: &str) -> Result<Vec<String>> {
    let wanted = format!("guest={name},");
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(bytes) = fs::read(entry.path().join("cmdline")) else { continue };
        let words: Vec<_> = bytes.split(|it| *it == 0).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        if words.iter().any(|it| it.starts_with(&wanted)) {
            return Ok(words.into_iter().filter(|it| !it.is_empty()).collect());
        }
    }
    bail!("no QEMU runs with {wanted}")
}

/// Milliseconds until the monitor of a QEMU with these arguments answers a command, and until a killed one is gone.
fn bare(argv: &[String]) -> Result<(f64, f64)> {
    let dir = tempfile::tempdir()?;
    let socket = dir.path().join("qmp");
    let mut command = program(argv.first().context("no arguments")?);
    command.args(standing_alone(argv.get(1..).unwrap_or_default(), &socket));
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let monitor = loop {
        match UnixStream::connect(&socket) {
            Ok(monitor) => break monitor,
            Err(_) if begin.elapsed() < Duration::from_secs(10) && child.try_wait()?.is_none() => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(_) => {
                child.kill()?;
                let out = child.wait_with_output()?;
                bail!("bare QEMU did not start: {}", String::from_utf8_lossy(&out.stderr));
            }
        }
    };
    ask(monitor)?;
    let create = millis(begin);
    let begin = Instant::now();
    child.kill()?;
    // Whoever reaps it, here or where orphans are reaped: it is gone then.
    let _ = child.wait();
    Ok((create, millis(begin)))
}

/// The arguments without what the daemon passed beside them: descriptors and files of its own.
fn standing_alone(argv: &[String], socket: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = argv.iter().peekable();
    while let Some(word) = words.next() {
        let value = words.next_if(|it| !it.starts_with('-'));
        match (word.as_str(), value.map(String::as_str)) {
            ("-chardev", Some(value)) if value.starts_with("socket,id=charmonitor") => {
                out.push(word.clone());
                out.push(format!("socket,id=charmonitor,path={},server=on,wait=off", socket.display()));
            }
            ("-object", Some(value)) if value.contains("masterKey0") => {}
            (_, Some(value)) if value.contains("fd=") => {}
            _ => {
                out.push(word.clone());
                out.extend(value.cloned());
            }
        }
    }
    out
}

/// Shakes hands and asks one thing.
fn ask(monitor: UnixStream) -> Result<()> {
    monitor.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(monitor.try_clone()?).lines();
    let mut monitor = monitor;
    lines.next().context("QEMU closed its monitor")??;
    for command in ["qmp_capabilities", "query-status"] {
        writeln!(monitor, "{{\"execute\":\"{command}\"}}")?;
        let answer = lines.next().context("QEMU closed its monitor")??;
        ensure!(answer.contains("\"return\""), "QEMU answered {answer}");
    }
    Ok(())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_daemon_is_left_out() {
        let argv =
            "-S -chardev socket,id=charmonitor,fd=22,server=on -object {\"id\":\"masterKey0\"} -netdev tap,fd=4 -m 64";
        let argv: Vec<_> = argv.split(' ').map(str::to_owned).collect();
        let alone = standing_alone(&argv, Path::new("/x")).join(" ");
        assert_eq!(alone, "-S -chardev socket,id=charmonitor,path=/x,server=on,wait=off -m 64");
    }
}
