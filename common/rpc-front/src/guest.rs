//! What reaches into a guest: keys, interrupts, waking up; and the addresses it has.

use std::net::IpAddr;

use virtbus_api::{
    Error, ErrorCode,
    hypervisor::{AddressSource, InterfaceAddresses, KeyCodeSet},
};
use virtbus_proto::{
    table::{DomainInjectNmi, DomainInterfaceAddresses, DomainInterfaceAddressesReply, DomainPmWakeup, DomainSendKey},
    types::{DomainInterface, DomainIpAddr},
};

use crate::{
    Hypervisor,
    from_wire::{self, domain},
    routes::Routes,
};

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on(|cx, a: DomainSendKey| async move {
            from_wire::no_flags(&a, a.flags)?;
            let unknown = || Error::unsupported_config(format!("Unsupported codeset {}", a.codeset));
            let set = KeyCodeSet::from_number(a.codeset).ok_or_else(unknown)?;
            Ok(cx.driver.send_key(&domain(&a.dom), set, a.holdtime, &a.keycodes).await?)
        })
        .on(|cx, a: DomainInjectNmi| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.inject_nmi(&domain(&a.dom)).await?)
        })
        .on(|cx, a: DomainPmWakeup| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.pm_wakeup(&domain(&a.dom)).await?)
        })
        .on(|cx, a: DomainInterfaceAddresses| async move {
            from_wire::no_flags(&a, a.flags)?;
            let unknown =
                || Error::new(ErrorCode::ArgumentUnsupported, format!("Unknown IP address data source {}", a.source));
            let source = AddressSource::from_number(a.source).ok_or_else(unknown)?;
            let found = cx.driver.interface_addresses(&domain(&a.dom), source).await?;
            Ok(DomainInterfaceAddressesReply { ifaces: found.into_iter().map(interface).collect() })
        })
}

fn interface(it: InterfaceAddresses) -> DomainInterface {
    let address = |(address, prefix): (IpAddr, u32)| DomainIpAddr {
        r#type: i32::from(address.is_ipv6()),
        addr: address.to_string(),
        prefix,
    };
    DomainInterface { name: it.name, hwaddr: it.mac, addrs: it.addresses.into_iter().map(address).collect() }
}
