//! `<smartcard>`: a card in the guest's reader, of the host, of certificates, or of a remote viewer.

use virtbus_api::Result;
use virtbus_schema::domain::device::redirected::{Certificates, Smartcard, SmartcardKind};

use super::address::{Place, place};
use super::chardev::{self, Chardev};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Card<'a> {
        driver: &'static str,
        backend: Option<&'static str>,
        cert1: Option<&'a str>,
        cert2: Option<&'a str>,
        cert3: Option<&'a str>,
        db: Option<&'a str>,
        chardev: Option<String>,
        id: &'a str,
        #[serde(flatten)]
        place: Place,
    }
}

/// Where NSS keeps certificates unless the document says otherwise.
const DATABASE: &str = "/etc/pki/nssdb";

impl QemuDevice for Smartcard {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        match &self.card {
            SmartcardKind::Passthrough(chardev) => chardev::resources(chardev),
            SmartcardKind::Host | SmartcardKind::HostCertificates(_) => Vec::new(),
        }
    }

    fn address(&self) -> AddressKind {
        AddressKind::None
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Smartcard { card, info } = self;
        let id = alias::of(self)?;
        let place = place(info.address.as_ref(), info.acpi_index, cx)?;
        let mut device = Card { driver: "ccid-card-emulated", id, place, ..Card::default() };
        let mut parts = Vec::new();
        match card {
            SmartcardKind::Host => device.backend = Some("nss-emulated"),
            SmartcardKind::HostCertificates(Certificates { certificates, database }) => {
                device.backend = Some("certificates");
                let mut each = certificates.iter().map(String::as_str);
                (device.cert1, device.cert2, device.cert3) = (each.next(), each.next(), each.next());
                device.db = Some(database.as_deref().unwrap_or(DATABASE));
            }
            SmartcardKind::Passthrough(source) => {
                let chardev = Chardev::of_kind(source, format!("char{id}"), "smartcard", cx)?;
                device.driver = "ccid-card-passthru";
                device.chardev = Some(chardev.id().to_owned());
                parts.extend(chardev.into_parts()?);
            }
        }
        cx.needs(device.driver, "<smartcard>")?;
        parts.push(Part::device(id, &device)?);
        Ok(parts)
    }
}
