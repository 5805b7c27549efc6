//! `<interface>`: a network card and its end on the host.

use std::os::fd::RawFd;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::interface::{
    Interface, InterfaceDriver, InterfaceDriverName, InterfaceKind, InterfaceMac, Offloads, TxMode,
};
use virtbus_schema::xml::OnOff;

use super::address::{Place, Virtio, place, virtio, virtio_driver};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Tap {
        r#type: &'static str,
        fd: Option<String>,
        fds: Option<String>,
        vhost: Option<bool>,
        vhostfd: Option<String>,
        vhostfds: Option<String>,
        sndbuf: Option<u32>,
        id: String,
    }

    struct User { r#type: &'static str, net: Option<String>, ipv6_net: Option<String>, id: String }

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

/// Descriptors as QEMU takes them: one, or several with colons.
fn list(fds: &[RawFd]) -> (Option<String>, Option<String>) {
    match fds {
        [] => (None, None),
        [one] => (Some(one.to_string()), None),
        many => (None, Some(many.iter().map(ToString::to_string).collect::<Vec<_>>().join(":"))),
    }
}

impl QemuDevice for Interface {
    fn address(&self) -> AddressKind {
        if self.model.as_deref() == Some("usb-net") { AddressKind::Usb } else { AddressKind::Pci }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let id = alias::of(self)?.to_owned();
        let netdev = format!("host{id}");
        let (back_end, queues) = host_end(self, &id, &netdev, cx)?;
        let mut card = card(self, &id, netdev, cx)?;
        if queues > 1 && card.driver.starts_with("virtio-net") {
            // Two vectors per queue, one for configuration, one for control.
            card.mq = Some(true);
            card.vectors = Some(queues.saturating_mul(2).saturating_add(2));
        }
        Ok(vec![back_end, Part::device(id, &card)?])
    }
}

/// The host's end and the number of its queues.
fn host_end(interface: &Interface, id: &str, netdev: &str, cx: &mut Cx<'_>) -> Result<(Part, usize)> {
    match interface.kind {
        InterfaceKind::User => {
            let user = User { r#type: "user", net: None, ipv6_net: None, id: netdev.to_owned() };
            Ok((Part::netdev(netdev, &user)?, 1))
        }
        InterfaceKind::Network | InterfaceKind::Bridge | InterfaceKind::Ethernet | InterfaceKind::Direct => {
            let (taps, vhosts): (Vec<RawFd>, Vec<RawFd>) = match cx.networks.remove(id) {
                Some(open) => (
                    open.taps.into_iter().map(|fd| cx.pass(fd)).collect(),
                    open.vhosts.into_iter().map(|fd| cx.pass(fd)).collect(),
                ),
                None => (vec![cx.show_descriptor()], Vec::new()),
            };
            let queues = taps.len();
            let (fd, fds) = list(&taps);
            let (vhostfd, vhostfds) = list(&vhosts);
            let vhost = (!vhosts.is_empty()).then_some(true);
            let tap = Tap {
                r#type: "tap",
                fd,
                fds,
                vhost,
                vhostfd,
                vhostfds,
                sndbuf: interface.sndbuf,
                id: netdev.to_owned(),
            };
            Ok((Part::netdev(netdev, &tap)?, queues))
        }
        kind => Err(Error::unsupported_config(format!("interface type '{kind}' is not supported yet"))),
    }
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
        teaming: _,
        link: _,
        coalesce: _,
    } = interface;
    let Some(InterfaceMac { address: mac, .. }) = mac else {
        return Err(Error::internal(format!("interface {id} has no MAC address yet")));
    };
    let model = model.as_deref().unwrap_or("rtl8139");
    let is_virtio = matches!(model, "virtio" | "virtio-transitional" | "virtio-non-transitional");
    let mut card = Card {
        driver: if is_virtio { virtio_driver("virtio-net", model) } else { model.to_owned() },
        netdev,
        id: id.to_owned(),
        mac: mac.to_string(),
        bootindex: cx.boot_index(id),
        place: place(info.address.as_ref(), info.acpi_index, cx)?,
        ..Card::default()
    };
    if let Some(rom) = &info.rom {
        card.rombar = rom.bar.map(|it| u32::from(it.is_on()));
        card.romfile = rom.file.clone();
        if rom.enabled.is_some_and(|it| !it.is_on()) {
            card.romfile = Some(String::new());
        }
    }
    if is_virtio {
        card.host_mtu = *mtu;
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
