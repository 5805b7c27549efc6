//! The DHCP, DNS and TFTP server of a network: dnsmasq, with libvirt's files in libvirt's places.
//!
//! | file | what | written by |
//! |---|---|---|
//! | `NAME.conf` | the configuration | [`config`] |
//! | `NAME.hostsfile` | addresses kept for guests | [`config`] |
//! | `NAME.addnhosts` | names the DNS server knows | [`config`] |
//! | `BRIDGE.status` | leases in force | [`helper`], upon dnsmasq's word |
//! | `BRIDGE.macs` | which guest has which MAC addresses | [`macs`] |
//! | `NAME.pid` below /run | the server's pid | dnsmasq |
//!
//! The server outlives the daemon, which finds it again by its pid file. Addresses must be on the bridge before it starts.

pub mod config;
pub mod helper;
mod in_the_way;
pub mod leases;
pub mod macs;
mod resolved;
mod server;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use virtbus_api::network::Lease;
use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_schema::Network;

use leases::Record;

pub use config::is_served;
pub use server::{Server, forget};

/// Where the files and programs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `/var/lib/libvirt/dnsmasq`.
    pub files: PathBuf,
    /// `/run/libvirt/network`.
    pub run: PathBuf,
    /// dnsmasq: a path, or a name to be found in PATH.
    pub dnsmasq: PathBuf,
    /// The program that dnsmasq tells of leases (`virtbus_leaseshelper`): an absolute path.
    pub helper: PathBuf,
}

impl Places {
    /// The configuration of the network `name`.
    pub fn config(&self, name: &str) -> PathBuf {
        self.files.join(format!("{name}.conf"))
    }

    /// The addresses kept for guests of the network `name`.
    pub fn hosts(&self, name: &str) -> PathBuf {
        self.files.join(format!("{name}.hostsfile"))
    }

    /// The names that the DNS server of the network `name` knows.
    pub fn names(&self, name: &str) -> PathBuf {
        self.files.join(format!("{name}.addnhosts"))
    }

    /// The leases given on `bridge`.
    pub fn status(&self, bridge: &str) -> PathBuf {
        leases::path(&self.files, bridge)
    }

    /// The MAC addresses of guests on `bridge`.
    pub fn macs(&self, bridge: &str) -> PathBuf {
        self.files.join(format!("{bridge}.macs"))
    }

    /// The pid of the server of the network `name`.
    pub fn pid(&self, name: &str) -> PathBuf {
        self.run.join(format!("{name}.pid"))
    }
}

/// The leases in force on `bridge`, in the order they were given; `mac`, in any case, picks one client's.
///
/// # Errors
/// `SYSTEM_ERROR` when the file cannot be read.
pub fn leases(places: &Places, network: &Network, bridge: &str, mac: Option<&str>) -> Result<Vec<Lease>> {
    let file = places.status(bridge);
    let records = leases::read(&file).map_err(|error| {
        Error::system(format!("cannot read '{}'", file.display()), &error).in_domain(ErrorDomain::Network)
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let lease = |record: Record| lease(record, network, bridge);
    Ok(records
        .into_iter()
        .filter(|record| record.expiry_time == 0 || record.expiry_time >= now)
        .filter(|record| match (mac, &record.mac_address) {
            (Some(wanted), Some(mac)) => wanted.eq_ignore_ascii_case(mac),
            (Some(_), None) => false,
            (None, _) => true,
        })
        .filter_map(lease)
        .collect())
}

fn lease(record: Record, network: &Network, bridge: &str) -> Option<Lease> {
    let address: IpAddr = record.ip_address.parse().ok()?;
    let prefix = network.ips.iter().find(|ip| ip.contains(address)).and_then(|ip| ip.prefix_length());
    Some(Lease {
        interface: bridge.to_owned(),
        expires: record.expiry_time,
        mac: record.mac_address,
        iaid: record.iaid,
        address,
        prefix: prefix.unwrap_or(0).into(),
        hostname: record.hostname,
        client_id: record.client_id,
    })
}
