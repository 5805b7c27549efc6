//! Limits on what passes through a guest's cards, set on their host ends.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::traffic::{self, Rate};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::interface::{BandwidthLimit, Interface, InterfaceKind};

/// Sets them. The devices must be there; they go with the guest, and their limits with them.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` naming what the kernel lacks, `INTERNAL_ERROR` with its words when it refuses.
pub(super) async fn limit(document: &Domain) -> Result<()> {
    for card in &document.devices.interfaces {
        if let Some((device, send, receive)) = wanted(card) {
            traffic::set(device, send.as_ref(), receive.as_ref(), false).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// The device, what the host may send through it and what it may take in.
fn wanted(card: &Interface) -> Option<(&str, Option<Rate>, Option<Rate>)> {
    use InterfaceKind as K;
    let has_device = matches!(card.kind, K::Network | K::Bridge | K::Ethernet | K::Direct);
    let device = card.target.as_ref().filter(|_| has_device)?.dev.as_deref()?;
    let bandwidth = card.bandwidth.as_ref()?;
    // What the guest receives, the host sends; but for a macvtap device, which is the guest's own.
    let (mut send, mut receive) = (rate(bandwidth.inbound), rate(bandwidth.outbound));
    if card.kind == K::Direct {
        std::mem::swap(&mut send, &mut receive);
    }
    (send.is_some() || receive.is_some()).then_some((device, send, receive))
}

fn rate(limit: Option<BandwidthLimit>) -> Option<Rate> {
    let BandwidthLimit { average, peak, floor: _, burst } = limit?;
    let said = |it: Option<u64>| it.filter(|it| *it > 0);
    Some(Rate { average: said(average)?, peak: said(peak), burst: said(burst) })
}

fn refused(error: traffic::Error) -> Error {
    let code = match error {
        traffic::Error::Unsupported { .. } => ErrorCode::ConfigUnsupported,
        traffic::Error::Refused { .. } | traffic::Error::Tool { .. } => ErrorCode::InternalError,
    };
    Error::new(code, "cannot limit bandwidth").caused_by(error)
}
