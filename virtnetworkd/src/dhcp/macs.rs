//! `BRIDGE.macs`: which guest has which MAC addresses, for the name service that finds guests by their names
//! (`libnss_libvirt_guest`).

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One guest, in the file's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Its name.
    pub domain: String,
    /// Its MAC addresses on this bridge.
    pub macs: Vec<String>,
}

/// Enters a guest's MAC address.
///
/// # Errors
/// When the file cannot be read or written.
pub fn add(file: &Path, domain: &str, mac: &str) -> io::Result<()> {
    change(file, |guests| {
        let at = guests.iter().position(|guest| guest.domain == domain).unwrap_or_else(|| {
            guests.push(Guest { domain: domain.to_owned(), macs: Vec::new() });
            guests.len() - 1
        });
        if let Some(guest) = guests.get_mut(at).filter(|guest| !guest.macs.iter().any(|it| it == mac)) {
            guest.macs.push(mac.to_owned());
        }
    })
}

/// Strikes out a guest's MAC address, and the guest with its last one.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remove(file: &Path, domain: &str, mac: &str) -> io::Result<()> {
    change(file, |guests| {
        for guest in guests.iter_mut().filter(|guest| guest.domain == domain) {
            guest.macs.retain(|it| it != mac);
        }
        guests.retain(|guest| !guest.macs.is_empty());
    })
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<Guest>)) -> io::Result<()> {
    let mut guests = read(file)?;
    let before = guests.clone();
    change(&mut guests);
    if guests == before && file.exists() {
        return Ok(());
    }
    let text = format!("{}\n", serde_json::to_string_pretty(&guests)?);
    super::leases::replace_text(file, text.as_bytes())
}

/// Reads the file; one that is absent, empty or damaged names nobody.
fn read(file: &Path) -> io::Result<Vec<Guest>> {
    match std::fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_come_and_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("br0.macs");
        add(&file, "a", "52:54:00:00:00:01").expect("entered");
        add(&file, "a", "52:54:00:00:00:02").expect("entered");
        add(&file, "b", "52:54:00:00:00:03").expect("entered");
        add(&file, "a", "52:54:00:00:00:01").expect("there");
        assert_eq!(read(&file).expect("readable").len(), 2);
        remove(&file, "a", "52:54:00:00:00:01").expect("struck out");
        remove(&file, "a", "52:54:00:00:00:02").expect("struck out");
        assert_eq!(read(&file).expect("readable")[0].domain, "b");
        std::fs::write(&file, "{").expect("written");
        add(&file, "c", "52:54:00:00:00:04").expect("begun anew");
        assert_eq!(read(&file).expect("readable")[0].domain, "c");
    }
}
