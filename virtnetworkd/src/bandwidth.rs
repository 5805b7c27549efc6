//! Rates: of a whole network on its bridge, of one guest on its device, and what a guest is guaranteed of the network's.
//!
//! Inbound is what the guest receives: the host's side of the device *sends* it. Which class number is whose, the network's
//! owner keeps ([`free_class`]); numbers 1 and 2 are the network's own.

use std::collections::BTreeSet;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_host::traffic::{self, Floor, Rate};
use virtbus_schema::Network;
use virtbus_schema::network::{Bandwidth, BandwidthLimit};

/// The first class of a guest.
const FIRST_CLASS: u16 = 3;
/// The last: filters have numbers of 12 bits of which the kernel keeps half.
const LAST_CLASS: u16 = 0x7ff;

/// A guest's guarantee, as its port and the network's owner know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantee {
    /// Its class, from [`free_class`].
    pub class: u16,
    /// The guest's MAC address.
    pub mac: [u8; 6],
    /// KiB/s.
    pub floor: u64,
    /// The guest's own average in KiB/s; 0 without one.
    pub average: u64,
}

/// Limits the network's bridge as its document says; nothing without `<bandwidth>`.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` naming what the kernel lacks; `INTERNAL_ERROR` with tc's words.
pub async fn set_bridge(network: &Network, bridge: &str) -> Result<()> {
    match &network.bandwidth {
        Some(bandwidth) => set(bridge, bandwidth, true).await,
        None => Ok(()),
    }
}

/// Limits a guest's device.
///
/// # Errors
/// As [`set_bridge`].
pub async fn set_device(device: &str, bandwidth: &Bandwidth) -> Result<()> {
    set(device, bandwidth, false).await
}

/// Takes all limits of a device away.
///
/// # Errors
/// `INTERNAL_ERROR` when `tc` cannot be run.
pub async fn clear(device: &str) -> Result<()> {
    traffic::clear(device).await.map_err(refused)
}

async fn set(device: &str, bandwidth: &Bandwidth, shared: bool) -> Result<()> {
    let (send, receive) = (rate(bandwidth.inbound.as_ref()), rate(bandwidth.outbound.as_ref()));
    if send.is_none() && receive.is_none() {
        return clear(device).await;
    }
    traffic::set(device, send.as_ref(), receive.as_ref(), shared).await.map_err(refused)
}

/// Guarantees a guest its floor. `floors` is the sum of all guarantees in the network with this one.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when the network has no inbound rate to share, or the kernel lacks a part.
pub async fn guarantee(network: &Network, bridge: &str, guarantee: &Guarantee, floors: u64) -> Result<()> {
    let Guarantee { class, mac, floor, average } = *guarantee;
    let whole = whole(network)?;
    let floor = Floor { class, mac, rate: floor, average };
    traffic::add_floor(bridge, &whole, &floor, floors).await.map_err(refused)
}

/// Ends a guarantee. `floors` is the sum of those that remain.
///
/// # Errors
/// As [`guarantee`].
pub async fn end_guarantee(network: &Network, bridge: &str, class: u16, floors: u64) -> Result<()> {
    traffic::remove_floor(bridge, &whole(network)?, class, floors).await.map_err(refused)
}

/// Refuses a guest's rates that the network cannot keep: a floor without an inbound rate to share, a peak above the network's,
/// or guarantees beyond what there is. `floors` is the sum of the guarantees so far, without this guest's.
///
/// # Errors
/// `OPERATION_UNSUPPORTED`, `OPERATION_INVALID`.
pub fn check(network: &Network, bandwidth: &Bandwidth, mac: &str, floors: u64) -> Result<()> {
    let Some(inbound) = &bandwidth.inbound else { return Ok(()) };
    let Some(floor) = inbound.floor.filter(|floor| *floor > 0) else { return Ok(()) };
    let name = &network.name;
    let Some(whole) = network.bandwidth.as_ref().and_then(|it| rate(it.inbound.as_ref())) else {
        let text = format!("'floor' of interface {mac}: network '{name}' has no inbound rate");
        return Err(Error::new(ErrorCode::OperationUnsupported, text).in_domain(ErrorDomain::Network));
    };
    let refuse = |what: &str| {
        let text = format!("Cannot plug interface {mac} into network '{name}': it would overcommit '{what}'");
        Err(Error::invalid_operation(text).in_domain(ErrorDomain::Network))
    };
    let peak = whole.peak.filter(|peak| *peak > 0);
    if let Some(peak) = peak.filter(|peak| inbound.peak.unwrap_or(0) > *peak) {
        let text =
            format!("peak {} of interface {mac} is above the {peak} of network '{name}'", inbound.peak.unwrap_or(0));
        return Err(Error::invalid_operation(text).in_domain(ErrorDomain::Network));
    }
    match floors.checked_add(floor) {
        Some(sum) if sum <= peak.unwrap_or(whole.average) => Ok(()),
        _ => refuse(if peak.is_some() { "peak" } else { "average" }),
    }
}

/// The first class that is not taken.
///
/// # Errors
/// `INTERNAL_ERROR` when a network has very many guests with guarantees.
pub fn free_class(taken: &BTreeSet<u16>) -> Result<u16> {
    (FIRST_CLASS..=LAST_CLASS)
        .find(|class| !taken.contains(class))
        .ok_or_else(|| Error::internal("no class is left for a guaranteed rate").in_domain(ErrorDomain::Network))
}

/// What the network's guests share.
fn whole(network: &Network) -> Result<Rate> {
    network.bandwidth.as_ref().and_then(|bandwidth| rate(bandwidth.inbound.as_ref())).ok_or_else(|| {
        let text = format!("network '{}' has no inbound rate to guarantee parts of", network.name);
        Error::new(ErrorCode::ConfigUnsupported, text).in_domain(ErrorDomain::Network)
    })
}

fn rate(limit: Option<&BandwidthLimit>) -> Option<Rate> {
    let BandwidthLimit { average, peak, floor: _, burst } = *limit?;
    let average = average.filter(|average| *average > 0)?;
    Some(Rate { average, peak: peak.filter(|it| *it > 0), burst: burst.filter(|it| *it > 0) })
}

fn refused(error: traffic::Error) -> Error {
    let code = match error {
        traffic::Error::Unsupported { .. } => ErrorCode::ConfigUnsupported,
        traffic::Error::Refused { .. } | traffic::Error::Tool { .. } => ErrorCode::InternalError,
    };
    Error::new(code, "cannot limit bandwidth").in_domain(ErrorDomain::Network).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(inbound: &str) -> Network {
        let xml = format!(
            "<network><name>n</name><bandwidth>{inbound}</bandwidth><ip address='10.1.1.1' prefix='24'/></network>"
        );
        Network::parse(&xml).expect("a network")
    }

    fn floor(floor: u64, peak: Option<u64>) -> Bandwidth {
        let inbound = BandwidthLimit { average: Some(10), peak, floor: Some(floor), burst: None };
        Bandwidth { inbound: Some(inbound), outbound: None }
    }

    #[test]
    fn no_more_is_promised_than_there_is() {
        let with_peak = network("<inbound average='1000' peak='5000'/>");
        let mac = "52:54:00:00:00:01";
        check(&with_peak, &floor(5000, None), mac, 0).expect("just enough");
        let refused = check(&with_peak, &floor(1, None), mac, 5000).expect_err("too much");
        assert_eq!(refused.code, ErrorCode::OperationInvalid);
        assert!(refused.detail.contains("'peak'"), "{refused}");
        assert!(check(&with_peak, &floor(1, Some(5001)), mac, 0).is_err());
        let average = network("<inbound average='1000'/>");
        check(&average, &floor(1000, None), mac, 0).expect("just enough");
        assert!(check(&average, &floor(1, None), mac, 1000).expect_err("too much").detail.contains("'average'"));
        let none = network("<outbound average='1000'/>");
        assert_eq!(check(&none, &floor(1, None), mac, 0).expect_err("nothing").code, ErrorCode::OperationUnsupported);
        assert_eq!(free_class(&BTreeSet::from([3, 4, 6])).expect("free"), 5);
        assert!(check(&average, &floor(u64::MAX, None), mac, 5).is_err());
    }
}
