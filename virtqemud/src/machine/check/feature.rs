//! `<features>` that a PC does not have.

use virtbus_api::Result;
use virtbus_schema::domain::features::AiaMode;
use virtbus_schema::domain::{Domain, Features};

use super::super::Board;
use super::unsupported;

pub(super) fn check(domain: &Domain, board: Board) -> Result<()> {
    let Some(features) = &domain.features else { return Ok(()) };
    let Features { smm, hpt, htm, gic, nested_hv, ccf_assist, cfpc, sbbc, ibs, ras, aia, .. } = features;
    let elsewhere = [
        ("hpt", hpt.is_some()),
        ("htm", htm.is_some()),
        ("gic", gic.is_some()),
        ("nested-hv", nested_hv.is_some()),
        ("ccf-assist", ccf_assist.is_some()),
        ("cfpc", cfpc.is_some()),
        ("sbbc", sbbc.is_some()),
        ("ibs", ibs.is_some()),
        ("ras", ras.is_some()),
    ];
    if let Some((name, _)) = elsewhere.iter().find(|(_, asked)| *asked) {
        return unsupported(format!(
            "The '{name}' feature is not supported for architecture '{}' or machine type '{}'",
            domain.os.kind.arch.as_deref().unwrap_or_default(),
            domain.os.kind.machine.as_deref().unwrap_or_default()
        ));
    }
    if features.vmport.is_some_and(|it| it.state.is_on()) && !super::device::has_ps2(domain) {
        return unsupported("vmport feature requires the ps2 feature not to be disabled");
    }
    if aia.is_some_and(|it| it != AiaMode::None) {
        return unsupported("aia feature is only supported with RISC-V Virt machines");
    }
    if smm.as_ref().is_some_and(|it| it.tseg.is_some()) && board != Board::Q35 {
        return unsupported("SMM TSEG is only supported with q35 machine type");
    }
    if smm.as_ref().and_then(|it| it.tseg).is_some_and(|it| it.bytes % (1 << 20) != 0) {
        return unsupported("SMM TSEG size must be divisible by 1 MiB");
    }
    Ok(())
}
