//! `<redirdev>`: a USB device that a remote viewer brings, as far as `<redirfilter>` lets it.

use virtbus_api::Result;
use virtbus_schema::domain::device::redirected::{RedirFilter, RedirRule, Redirdev, RedirectedBus, RuleNumber};

use super::address::{Place, place};
use super::chardev::{self, Chardev};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Device<'a> {
        driver: &'static str,
        chardev: String,
        id: &'a str,
        filter: Option<String>,
        bootindex: Option<u32>,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Redirdev {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        chardev::resources(&self.chardev)
    }

    fn address(&self) -> AddressKind {
        AddressKind::Usb
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Redirdev { bus: RedirectedBus::Usb, chardev, info } = self;
        let id = alias::of(self)?;
        cx.needs("usb-redir", "<redirdev>")?;
        let chardev = Chardev::of_kind(chardev, format!("char{id}"), "usbredir", cx)?;
        let device = Device {
            driver: "usb-redir",
            chardev: chardev.id().to_owned(),
            id,
            filter: cx.domain.devices.redirfilter.as_ref().and_then(filter),
            bootindex: cx.boot_index(id),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        let mut parts = chardev.into_parts()?;
        parts.push(Part::device(id, &device)?);
        Ok(parts)
    }
}

/// Rules as QEMU takes them: `class:vendor:product:version:allow`, -1 for any, with bars between them.
fn filter(it: &RedirFilter) -> Option<String> {
    let RedirFilter { usbdevs } = it;
    let rule = |it: &RedirRule| {
        let RedirRule { class, vendor, product, version, allow } = it;
        let class = number(*class);
        let (vendor, product) = (number(*vendor), number(*product));
        let version = version.as_deref().map_or_else(|| "-1".to_owned(), version_in_bcd);
        format!("{class}:{vendor}:{product}:{version}:{}", u8::from(allow.is_on()))
    };
    let rules: Vec<String> = usbdevs.iter().map(rule).collect();
    (!rules.is_empty()).then(|| rules.join("|"))
}

fn number<const WIDTH: usize>(it: Option<RuleNumber<WIDTH>>) -> String {
    match it {
        Some(RuleNumber(Some(number))) => format!("0x{number:0WIDTH$X}"),
        Some(RuleNumber(None)) | None => "-1".to_owned(),
    }
}

/// `1.1` is 0x0110: two digits before the point and two behind it.
fn version_in_bcd(text: &str) -> String {
    if text == "-1" {
        return text.to_owned();
    }
    let (major, minor) = text.split_once('.').unwrap_or((text, ""));
    format!("0x{major:0>2}{minor:0<2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_binary_coded_decimals() {
        for (text, want) in [("2.00", "0x0200"), ("1.1", "0x0110"), ("10.25", "0x1025"), ("-1", "-1"), ("3", "0x0300")]
        {
            assert_eq!(version_in_bcd(text), want);
        }
    }
}
