//! The program that dnsmasq runs at each change of a lease: it keeps `BRIDGE.status`.
//!
//! It is a program of its own (`virtbus_leaseshelper`, beside the daemon): dnsmasq's `--dhcp-script` takes a path without
//! arguments, and starts it for every lease, so it must be small. dnsmasq says what happened in arguments
//! (`add|old|del MAC ADDRESS [NAME]`) and environment (`DNSMASQ_*`, dnsmasq(8)); with `init` it asks for the leases in its
//! own format, since it keeps no file itself. Which bridge, the daemon says by `VIR_BRIDGE_NAME`; where the files are, by
//! `VIRTBUS_DNSMASQ_FILES` unless they are in libvirt's place.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::leases::{self, Record};

/// The environment variable that names the bridge.
pub const BRIDGE: &str = "VIR_BRIDGE_NAME";
/// The environment variable that names the folder of the files.
pub const FILES: &str = "VIRTBUS_DNSMASQ_FILES";
/// Where the files are unless [`FILES`] says otherwise.
pub const DEFAULT_FILES: &str = "/var/lib/libvirt/dnsmasq";
/// What dnsmasq's format has where nothing is known.
const UNKNOWN: &str = "*";

/// What dnsmasq tells or asks.
#[derive(Debug)]
struct Call {
    action: String,
    /// MAC address, or for IPv6 the client's DUID.
    client: String,
    address: String,
    name: Option<String>,
}

/// Does what dnsmasq asks, with this process's arguments (without the program's name) and environment.
///
/// # Errors
/// A sentence for standard error; dnsmasq logs that the program failed.
pub fn run(arguments: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let bridge = variable(BRIDGE).or_else(|| variable("DNSMASQ_INTERFACE"));
    let bridge = bridge.ok_or("no bridge is named")?;
    if bridge.contains('/') || bridge == ".." {
        return Err(format!("{bridge:?} is no bridge"));
    }
    let folder = variable(FILES).map_or_else(|| PathBuf::from(DEFAULT_FILES), PathBuf::from);
    let status = leases::path(&folder, &bridge);
    let mut rest = arguments.iter().cloned();
    let action = rest.next().unwrap_or_default();
    let mut call = Call {
        action,
        client: rest.next().unwrap_or_default(),
        address: rest.next().unwrap_or_default(),
        name: rest.next().filter(|name| !name.is_empty()),
    };
    match call.action.as_str() {
        "init" => return init(&status),
        "add" | "old" | "del" if !call.client.is_empty() && !call.address.is_empty() => {}
        "add" | "old" | "del" => return Err(format!("{} needs a client and an address", call.action)),
        // What dnsmasq also tells, now or in a later version, and no lease depends on.
        _ => return Ok(()),
    }
    call.name =
        call.name.or_else(|| variable("DNSMASQ_SUPPLIED_HOSTNAME")).or_else(|| variable("DNSMASQ_OLD_HOSTNAME"));
    change(&status, call, &variable).map_err(|error| format!("{}: {error}", status.display()))
}

fn change(status: &Path, call: Call, variable: &dyn Fn(&str) -> Option<String>) -> io::Result<()> {
    let mut records = match leases::read(status) {
        Ok(records) => records,
        // Damaged: the leases of now count more than the ones that cannot be read any longer.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Vec::new(),
        Err(error) => return Err(error),
    };
    records.retain(|record| record.ip_address != call.address);
    if call.action != "del" {
        records.push(record(call, variable));
    }
    leases::replace(status, &records)
}

fn record(call: Call, variable: &dyn Fn(&str) -> Option<String>) -> Record {
    let iaid = variable("DNSMASQ_IAID");
    let (mac, client_id) = if iaid.is_some() {
        (variable("DNSMASQ_MAC"), Some(call.client))
    } else {
        (Some(call.client), variable("DNSMASQ_CLIENT_ID"))
    };
    Record {
        server_duid: iaid.as_ref().and_then(|_| variable("DNSMASQ_SERVER_DUID")),
        iaid,
        ip_address: call.address,
        mac_address: mac,
        hostname: call.name,
        client_id,
        expiry_time: variable("DNSMASQ_LEASE_EXPIRES").and_then(|text| text.parse().ok()).unwrap_or(0),
    }
}

/// The leases in the format of dnsmasq's own file: IPv4, then the server's DUID, then IPv6.
fn init(status: &Path) -> Result<(), String> {
    let records = match leases::read(status) {
        Ok(records) => records,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Vec::new(),
        Err(error) => return Err(format!("{}: {error}", status.display())),
    };
    if records.is_empty() {
        // So that it is there for its readers.
        leases::replace(status, &records).map_err(|error| format!("{}: {error}", status.display()))?;
    }
    io::stdout().write_all(listing(&records).as_bytes()).map_err(|error| error.to_string())
}

fn listing(records: &[Record]) -> String {
    let (six, four): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| record.iaid.is_some());
    let mut text: String = four.iter().map(|record| line(record, record.mac_address.as_ref())).collect();
    if let Some(duid) = six.iter().find_map(|record| record.server_duid.as_ref()) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "duid {duid}");
    }
    text.extend(six.iter().map(|record| line(record, record.iaid.as_ref())));
    text
}

fn line(record: &Record, client: Option<&String>) -> String {
    let or_unknown = |text: Option<&String>| text.map_or(UNKNOWN, String::as_str).to_owned();
    let (name, id) = (or_unknown(record.hostname.as_ref()), or_unknown(record.client_id.as_ref()));
    format!("{} {} {} {name} {id}\n", record.expiry_time, or_unknown(client), record.ip_address)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Runs one call as dnsmasq would.
    fn call(folder: &Path, arguments: &str, variables: &[(&str, &str)]) -> Result<(), String> {
        let mut all: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.insert(BRIDGE.to_owned(), "br0".to_owned());
        all.insert(FILES.to_owned(), folder.display().to_string());
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        run(&arguments, &|name| all.get(name).cloned())
    }

    #[test]
    fn leases_come_change_and_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = leases::path(folder.path(), "br0");
        let four = [("DNSMASQ_LEASE_EXPIRES", "1900000000"), ("DNSMASQ_CLIENT_ID", "01:52")];
        call(folder.path(), "add 52:54:00:00:00:01 10.1.1.5 one", &four).expect("added");
        let six = [
            ("DNSMASQ_LEASE_EXPIRES", "1900000300"),
            ("DNSMASQ_IAID", "12345"),
            ("DNSMASQ_MAC", "52:54:00:00:00:02"),
            ("DNSMASQ_SERVER_DUID", "00:01"),
            ("DNSMASQ_CLIENT_ID", "ignored"),
        ];
        call(folder.path(), "add 00:04:aa fd00::5 two", &six).expect("added");
        let read = leases::read(&path).expect("readable");
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].client_id.as_deref(), Some("00:04:aa"));
        let told =
            "1900000000 52:54:00:00:00:01 10.1.1.5 one 01:52\nduid 00:01\n1900000300 12345 fd00::5 two 00:04:aa\n";
        assert_eq!(listing(&read), told);
        let again = [("DNSMASQ_LEASE_EXPIRES", "1900000900"), ("DNSMASQ_OLD_HOSTNAME", "old")];
        call(folder.path(), "old 52:54:00:00:00:01 10.1.1.5", &again).expect("changed");
        let read = leases::read(&path).expect("readable");
        assert_eq!((read.len(), read[1].hostname.as_deref(), read[1].expiry_time), (2, Some("old"), 1_900_000_900));
        call(folder.path(), "del 52:54:00:00:00:01 10.1.1.5", &[]).expect("removed");
        call(folder.path(), "del 00:04:aa fd00::5", &[]).expect("removed");
        assert_eq!(std::fs::read(&path).expect("there"), b"");
    }

    #[test]
    fn the_file_is_as_its_other_readers_expect() {
        let folder = tempfile::tempdir().expect("a folder");
        call(folder.path(), "add 52:54:00:00:00:01 10.1.1.5", &[("DNSMASQ_LEASE_EXPIRES", "7")]).expect("added");
        let text = std::fs::read_to_string(leases::path(folder.path(), "br0")).expect("there");
        let expected = "[\n  {\n    \"ip-address\": \"10.1.1.5\",\n    \"mac-address\": \"52:54:00:00:00:01\",\n    \
                        \"expiry-time\": 7\n  }\n]\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_odd_is_refused_or_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        call(folder.path(), "tftp 1 2 3", &[]).expect("passed over");
        assert!(call(folder.path(), "add 52:54:00:00:00:01", &[]).is_err());
        assert!(run(&["init".to_owned()], &|_| None).is_err());
        assert!(run(&["init".to_owned()], &|_| Some("../../etc".to_owned())).is_err());
        let path = leases::path(folder.path(), "br0");
        std::fs::write(&path, "[{").expect("written");
        call(folder.path(), "add 52:54:00:00:00:01 10.1.1.5", &[]).expect("begun anew");
        assert_eq!(leases::read(&path).expect("readable").len(), 1);
    }
}
