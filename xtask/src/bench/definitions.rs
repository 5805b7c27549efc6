//! Many defined domains: how long one more takes, a list of all, and the daemon's start; and what they weigh.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use virtbus_proto::table::domain::{ConnectListAllDomains, DomainDefineXml, DomainGetXmlDesc};
use virtbus_proto::types::Domain;

use super::bus::{BusClient, Method};
use super::report::Report;
use super::side::Side;
use super::{Options, calls};
use crate::client::Client;
use crate::command::{output, program};

const COUNTS: [usize; 2] = [1000, 5000];
const LISTS: usize = 50;
const SLOW_LISTS: usize = 10;
const RESTARTS: usize = 5;
/// So many are defined on one side before the other has its turn.
const TURN: usize = 100;

/// What the domains are: the case's name, and what a document has beside what every guest needs. One kind without devices of
/// its own, and one like those that people have.
pub(super) const KINDS: [(&str, &str); 2] = [("definitions", ""), ("furnished", FURNITURE)];

const FURNITURE: &str = "<features><acpi/><apic/></features><devices>\
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
    <source file='/var/lib/libvirt/images/bench.qcow2'/><target dev='vda' bus='virtio'/></disk>\
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>\
    <interface type='user'><model type='virtio'/></interface>\
    <serial type='pty'/><console type='pty'/>\
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
    <input type='tablet' bus='usb'/><graphics type='vnc' port='-1'/><video><model type='virtio'/></video>\
    <memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices>";

/// A guest with these devices.
pub(super) fn document(name: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os>{devices}</domain>"
    )
}

pub(super) fn run(sides: &mut [Side], options: &Options, report: &mut Report) -> Result<()> {
    for (kind, devices) in KINDS.into_iter().filter(|(kind, _)| options.wants(kind)) {
        let mut there = 0;
        for count in COUNTS {
            eprintln!("bench: {count} {kind}");
            let case = format!("{kind}.{count}");
            while there < count {
                define(sides, devices, there..there + TURN, &case, report)?;
                there += TURN;
            }
            list(sides, count, &case, report)?;
            restart(sides, count, &case, report)?;
        }
        undefine(sides, &format!("{kind}.undefine"), report)?;
    }
    Ok(())
}

/// Defines some more, and beside each of ours writes as many bytes to a file as safely as can be: the least it may take.
fn define(
    sides: &[Side],
    devices: &str,
    numbers: std::ops::Range<usize>,
    case: &str,
    report: &mut Report,
) -> Result<()> {
    let case = format!("{case}.define");
    for side in sides {
        let mut client = side.client()?;
        for number in numbers.clone() {
            let name = format!("bench-{number:05}");
            let xml = document(&name, devices);
            let begin = Instant::now();
            client.call(&DomainDefineXml { xml })?;
            report.add(&case, "ms", side.column(), &[millis(begin.elapsed())]);
            if let Some(directory) = side.definitions() {
                let bytes = fs::read(directory.join(format!("{name}.xml")))?;
                let begin = Instant::now();
                write_safely(&directory.join("bare write.new"), &directory.join("bare write"), &bytes)?;
                report.add(&case, "ms", "bare write", &[millis(begin.elapsed())]);
            }
        }
    }
    Ok(())
}

/// A new file, synced, renamed, and its directory synced.
fn write_safely(new: &Path, name: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, name)?;
    if let Some(directory) = name.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn list(sides: &[Side], count: usize, case: &str, report: &mut Report) -> Result<()> {
    let mut clients = sides.iter().map(Side::client).collect::<Result<Vec<_>>>()?;
    for _ in 0..LISTS {
        for (side, client) in sides.iter().zip(&mut clients) {
            let begin = Instant::now();
            ensure!(listed(client)?.len() >= count, "domains are missing from the list");
            report.add(&format!("{case}.list"), "ms", side.column(), &[millis(begin.elapsed())]);
        }
    }
    for _ in 0..SLOW_LISTS {
        for side in sides {
            for way in &side.ways {
                let mut virsh = program("virsh");
                virsh.args(["-c", &format!("qemu+unix:///system?socket={}", way.socket.display())]);
                let begin = Instant::now();
                let text = output(virsh.args(["list", "--all"]))?;
                report.add(&format!("{case}.virsh-list-all"), "ms", &way.column, &[millis(begin.elapsed())]);
                ensure!(text.lines().count() >= count, "domains are missing from virsh's list");
            }
        }
    }
    for side in sides {
        list_by_bus(side, count, case, report)?;
    }
    Ok(())
}

/// The paths of all domains, and all domains with their properties, over the message bus.
fn list_by_bus(side: &Side, count: usize, case: &str, report: &mut Report) -> Result<()> {
    let Some(socket) = side.bus() else { return Ok(()) };
    let mut client = BusClient::open(&socket)?;
    let (destination, path) = ("org.libvirt.virtqemud", "/org/libvirt/QEMU");
    let domains = Method { destination, path, interface: "org.libvirt.Connect", member: "ListDomains", flags: Some(0) };
    let interface = "org.freedesktop.DBus.ObjectManager";
    let managed = Method { destination, path, interface, member: "GetManagedObjects", flags: None };
    for (row, method) in [("bus-list", domains), ("bus-managed-objects", managed)] {
        for _ in 0..SLOW_LISTS {
            let begin = Instant::now();
            // A path has at least as many bytes as a UUID.
            ensure!(client.call(method)? > 36 * count, "domains are missing on the bus");
            report.add(&format!("{case}.{row}"), "ms", side.column(), &[millis(begin.elapsed())]);
        }
    }
    Ok(())
}

fn restart(sides: &mut [Side], count: usize, case: &str, report: &mut Report) -> Result<()> {
    for _ in 0..RESTARTS {
        for side in sides.iter_mut() {
            let all_there = |socket: &Path| {
                Client::open(socket).and_then(|mut it| listed(&mut it)).is_ok_and(|it| it.len() >= count)
            };
            let all_read = |socket: &Path| all_there(socket) && documents(socket).is_ok_and(|it| it >= count);
            if let Some(time) = side.restart(&all_read)? {
                report.add(&format!("{case}.restart-documents"), "ms", side.column(), &[millis(time)]);
            }
            // Last: what is weighed below has only been asked for a list.
            if let Some(time) = side.restart(&all_there)? {
                report.add(&format!("{case}.restart"), "ms", side.column(), &[millis(time)]);
            }
        }
    }
    for side in sides.iter_mut() {
        // What goes on after the first answer counts as well.
        if let Some(mib) = side.resident_at_rest()? {
            report.add(&format!("{case}.rss"), "MiB", side.column(), &[mib]);
        }
    }
    Ok(())
}

/// Asks for the document of every domain over two connections, half of them on each; how many came.
fn documents(socket: &Path) -> Result<usize> {
    let all = listed(&mut Client::open(socket)?)?;
    let (one, other) = all.split_at(all.len() / 2);
    std::thread::scope(|scope| {
        let ask = |domains: Vec<Domain>| {
            scope.spawn(move || -> Result<usize> {
                let mut client = Client::open(socket)?;
                for dom in &domains {
                    client.call(&DomainGetXmlDesc { dom: dom.clone(), flags: 0 })?;
                }
                Ok(domains.len())
            })
        };
        [ask(one.to_vec()), ask(other.to_vec())].into_iter().try_fold(0, |sum, it| match it.join() {
            Ok(number) => Ok(sum + number?),
            Err(_) => bail!("asking for documents panicked"),
        })
    })
}

fn undefine(sides: &[Side], case: &str, report: &mut Report) -> Result<()> {
    for side in sides {
        let mut client = side.client()?;
        for dom in listed(&mut client)? {
            let begin = Instant::now();
            calls::undefine(&mut client, dom)?;
            report.add(case, "ms", side.column(), &[millis(begin.elapsed())]);
        }
    }
    Ok(())
}

fn listed(client: &mut Client) -> Result<Vec<Domain>> {
    Ok(client.call(&ConnectListAllDomains { need_results: 1, flags: 0 })?.domains)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
