//! `<interface>`: a network card and its end on the host.

mod end;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::interface::{
    HostdevAddress, HostdevDriverName, Interface, InterfaceDriver, InterfaceDriverName, InterfaceKind, InterfaceMac,
    Offloads, TeamingKind, TxMode,
};
use virtbus_schema::xml::OnOff;

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias, hostdev};

use end::End;

props! {
    struct Assigned {
        driver: &'static str,
        host: String,
        id: String,
        bootindex: Option<u32>,
        #[serde(rename = "failover_pair_id")]
        failover: Option<String>,
        #[serde(flatten)]
        place: Place,
        rombar: Option<u32>,
        romfile: Option<String>,
    }

    struct Card {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        tx: Option<&'static str>,
        ioeventfd: Option<bool>,
        #[serde(rename = "event_idx")]
        event_idx: Option<bool>,
        csum: Option<bool>,
        gso: Option<bool>,
        #[serde(rename = "host_tso4")]
        host_tso4: Option<bool>,
        #[serde(rename = "host_tso6")]
        host_tso6: Option<bool>,
        #[serde(rename = "host_ecn")]
        host_ecn: Option<bool>,
        #[serde(rename = "host_ufo")]
        host_ufo: Option<bool>,
        #[serde(rename = "mrg_rxbuf")]
        mrg_rxbuf: Option<bool>,
        #[serde(rename = "guest_csum")]
        guest_csum: Option<bool>,
        #[serde(rename = "guest_tso4")]
        guest_tso4: Option<bool>,
        #[serde(rename = "guest_tso6")]
        guest_tso6: Option<bool>,
        #[serde(rename = "guest_ecn")]
        guest_ecn: Option<bool>,
        #[serde(rename = "guest_ufo")]
        guest_ufo: Option<bool>,
        mq: Option<bool>,
        vectors: Option<usize>,
        #[serde(rename = "rx_queue_size")]
        rx_queue_size: Option<u32>,
        #[serde(rename = "tx_queue_size")]
        tx_queue_size: Option<u32>,
        rss: Option<bool>,
        hash: Option<bool>,
        #[serde(rename = "host_mtu")]
        host_mtu: Option<u32>,
        failover: Option<bool>,
        netdev: String,
        id: String,
        mac: String,
        bootindex: Option<u32>,
        #[serde(flatten)]
        place: Place,
        romfile: Option<String>,
        rombar: Option<u32>,
    }
}

impl QemuDevice for Interface {
    fn address(&self) -> AddressKind {
        if self.model.as_deref() == Some("usb-net") { AddressKind::Usb } else { AddressKind::Pci }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let id = alias::of(self)?.to_owned();
        if self.kind == InterfaceKind::Hostdev {
            return assigned(self, &id, cx);
        }
        let netdev = format!("host{id}");
        let End { mut parts, queues } = End::of(self, &id, &netdev, cx)?;
        let mut card = card(self, &id, netdev, cx)?;
        if queues > 1 && card.driver.starts_with("virtio-net") {
            // Two vectors per queue, one for configuration, one for control.
            card.mq = Some(true);
            card.vectors = Some(queues.saturating_mul(2).saturating_add(2));
        }
        parts.push(Part::device(id, &card)?);
        Ok(parts)
    }
}

/// A function of a host's network card that is the guest's own.
fn assigned(interface: &Interface, id: &str, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let Some(HostdevAddress::Pci(host)) = interface.source.as_ref().and_then(|it| it.device.as_ref()) else {
        return Err(Error::unsupported_config("only PCI devices can be network cards of type 'hostdev'"));
    };
    let driver = interface.hostdev_driver.clone().unwrap_or_default();
    let name = driver.name.as_deref().map(|it| HostdevDriverName::from_name(it).unwrap_or(HostdevDriverName::Xen));
    hostdev::check_driver(name, driver.model.as_deref())?;
    cx.needs("vfio-pci", "<interface type='hostdev'>")?;
    let (rombar, romfile) = hostdev::rom(interface.info.rom.as_ref());
    let device = Assigned {
        driver: "vfio-pci",
        host: hostdev::pci_name(host),
        id: id.to_owned(),
        bootindex: cx.boot_index(id),
        failover: interface.teaming.as_ref().and_then(|it| it.persistent.clone()),
        place: place(interface.info.address.as_ref(), interface.info.acpi_index, cx)?,
        rombar,
        romfile,
    };
    Ok(vec![Part::device(id, &device)?])
}

fn card(interface: &Interface, id: &str, netdev: String, cx: &Cx<'_>) -> Result<Card> {
    // Most of an interface concerns the host's end alone: it is set up by whoever opens that, before or after.
    let Interface {
        mac,
        model,
        driver,
        mtu,
        info,
        kind: _,
        managed: _,
        trust_guest_rx_filters: _,
        hostdev_driver: _,
        source: _,
        ips: _,
        routes: _,
        port_forwards: _,
        vlan: _,
        virtual_port: _,
        bandwidth: _,
        isolated: _,
        script: _,
        downscript: _,
        backend_domain: _,
        target: _,
        guest: _,
        backend: _,
        filterref: _,
        sndbuf: _,
        teaming,
        link: _,
        coalesce: _,
    } = interface;
    let Some(InterfaceMac { address: mac, .. }) = mac else {
        return Err(Error::internal(format!("interface {id} has no MAC address yet")));
    };
    let model = model.as_deref().unwrap_or("rtl8139");
    let is_virtio = matches!(model, "virtio" | "virtio-transitional" | "virtio-non-transitional");
    let mut card = Card {
        driver: if is_virtio { virtio_device("virtio-net", model, info.address.as_ref())? } else { model.to_owned() },
        netdev,
        id: id.to_owned(),
        mac: mac.to_string(),
        bootindex: cx.boot_index(id),
        place: place(info.address.as_ref(), info.acpi_index, cx)?,
        ..Card::default()
    };
    (card.rombar, card.romfile) = hostdev::rom(info.rom.as_ref());
    if is_virtio {
        card.host_mtu = *mtu;
        // The one that stays while its partner is away.
        card.failover = teaming.as_ref().filter(|it| it.kind == TeamingKind::Persistent).map(|_| true);
        if let Some(driver) = driver {
            tune(&mut card, driver)?;
        }
    }
    Ok(card)
}

fn tune(card: &mut Card, driver: &InterfaceDriver) -> Result<()> {
    let InterfaceDriver {
        name,
        txmode,
        ioeventfd,
        event_idx,
        queues: _,
        rx_queue_size,
        tx_queue_size,
        rss,
        rss_hash_report,
        virtio: options,
        host,
        guest,
    } = driver;
    if matches!(name, Some(InterfaceDriverName::Vfio | InterfaceDriverName::Kvm)) {
        return Err(Error::unsupported_config("<driver name> of an emulated network card is 'qemu' or 'vhost'"));
    }
    let flag = |it: Option<OnOff>| it.map(OnOff::is_on);
    card.virtio = virtio(Some(options));
    card.tx = txmode.map(|it| match it {
        TxMode::Iothread => "bh",
        TxMode::Timer => "timer",
    });
    card.ioeventfd = flag(*ioeventfd);
    card.event_idx = flag(*event_idx);
    card.rx_queue_size = *rx_queue_size;
    card.tx_queue_size = *tx_queue_size;
    card.rss = flag(*rss);
    card.hash = flag(*rss_hash_report);
    if let Some(Offloads { csum, gso, tso4, tso6, ecn, ufo, mrg_rxbuf }) = host {
        (card.csum, card.gso, card.mrg_rxbuf) = (flag(*csum), flag(*gso), flag(*mrg_rxbuf));
        (card.host_tso4, card.host_tso6) = (flag(*tso4), flag(*tso6));
        (card.host_ecn, card.host_ufo) = (flag(*ecn), flag(*ufo));
    }
    if let Some(Offloads { csum, gso: _, tso4, tso6, ecn, ufo, mrg_rxbuf: _ }) = guest {
        card.guest_csum = flag(*csum);
        (card.guest_tso4, card.guest_tso6) = (flag(*tso4), flag(*tso6));
        (card.guest_ecn, card.guest_ufo) = (flag(*ecn), flag(*ufo));
    }
    Ok(())
}
