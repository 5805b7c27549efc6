//! What is kept on disk of an active network, in libvirt's places below /run: its status, and a file for each port.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{Error, Result};
use virtbus_schema::{FormatOptions, Network, NetworkPort, NetworkStatus};
use virtbus_store::Definitions;

use crate::fault::{self, Faults as _};

/// The files of active networks.
#[derive(Debug, Clone)]
pub(crate) struct StatusFiles {
    run: PathBuf,
    status: Definitions,
}

/// An active network as its files have it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) document: Network,
    pub(crate) ports: BTreeMap<Uuid, Arc<NetworkPort>>,
}

impl StatusFiles {
    /// The files below `run`.
    pub(crate) fn new(run: &Path) -> Self {
        Self { run: run.to_owned(), status: Definitions::of_this_boot(run, "virsh net-edit") }
    }

    /// Where the ports of a network are. A name can lead nowhere else.
    fn ports(&self, name: &str) -> Definitions {
        Definitions::of_this_boot(self.home(name).join("ports"), "virsh net-port-create")
    }

    fn home(&self, name: &str) -> PathBuf {
        match name {
            "." | ".." => self.run.join(format!("{name}.ports")),
            _ => self.run.join(name),
        }
    }

    /// Writes the status.
    ///
    /// # Errors
    /// `SYSTEM_ERROR`.
    pub(crate) fn save(&self, status: &NetworkStatus) -> Result<()> {
        self.status.save(&status.network.name, &status.format()).map_err(|it| fault::of_store(&it))
    }

    /// Writes a port.
    ///
    /// # Errors
    /// `SYSTEM_ERROR`.
    pub(crate) fn save_port(&self, network: &str, port: &NetworkPort) -> Result<()> {
        let name = port.uuid.hyphenated().to_string();
        let text = port.format(FormatOptions { secure: true, ..FormatOptions::default() });
        self.ports(network).save(&name, &text).map_err(|it| fault::of_store(&it))
    }

    /// Removes a port.
    ///
    /// # Errors
    /// `SYSTEM_ERROR`.
    pub(crate) fn remove_port(&self, network: &str, port: Uuid) -> Result<()> {
        self.ports(network).delete(&port.hyphenated().to_string()).map_err(|it| fault::of_store(&it))
    }

    /// Removes everything of a network.
    ///
    /// # Errors
    /// `SYSTEM_ERROR`: something is still there.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let home = self.home(name);
        let ports = match std::fs::remove_dir_all(&home) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::system(format!("cannot remove '{}'", home.display()), &error).of_networks())
            }
            _ => Ok(()),
        };
        let status = self.status.delete(name).map_err(|it| fault::of_store(&it));
        ports.and(status)
    }

    /// All active networks that left files. A file that cannot be understood is reported and left alone.
    ///
    /// # Errors
    /// `SYSTEM_ERROR`: the directory cannot be listed.
    pub(crate) fn load(&self) -> Result<Vec<Found>> {
        let status =
            self.status.load(|text| NetworkStatus::parse(text).map(|it| (it.network.name.clone(), it.network)));
        let status = status.map_err(|it| fault::of_store(&it))?;
        report(&status.broken);
        let found = status.definitions.into_iter().map(|it| self.with_ports(it.document));
        Ok(found.collect())
    }

    fn with_ports(&self, document: Network) -> Found {
        let parse = |text: &str| NetworkPort::parse(text).map(|it| (it.uuid.hyphenated().to_string(), it));
        let mut ports = BTreeMap::new();
        match self.ports(&document.name).load(parse) {
            Ok(loaded) => {
                report(&loaded.broken);
                ports.extend(loaded.definitions.into_iter().map(|it| (it.document.uuid, Arc::new(it.document))));
            }
            Err(error) => tracing::error!(network = document.name, "its ports are lost: {error}"),
        }
        Found { document, ports }
    }
}

/// Says which files are left alone.
pub(crate) fn report(broken: &[virtbus_store::Broken]) {
    for virtbus_store::Broken { path, reason } in broken {
        tracing::error!("{} is left alone: {reason}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_ports_are_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = StatusFiles::new(dir.path());
        let network = Network::parse("<network><name>..</name><bridge name='virbr9'/></network>").expect("a network");
        let port = "<networkport><uuid>09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid><owner><name>d</name>\
            <uuid>19b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid></owner><mac address='52:54:00:11:22:33'/></networkport>";
        let port = NetworkPort::parse(port).expect("a port");
        let status = NetworkStatus { class_ids: None, floor_sum: None, network: network.clone() };
        files.save(&status).expect("written");
        files.save_port("..", &port).expect("written");
        let found = files.load().expect("listed");
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].document, found[0].ports.len()), (&network, 1));
        files.remove_port("..", port.uuid).expect("removed");
        files.remove("..").expect("removed");
        files.remove("..").expect("gone already");
        assert!(files.load().expect("listed").is_empty());
        assert!(!dir.path().parent().expect("it has one").join("ports").exists());
    }
}
