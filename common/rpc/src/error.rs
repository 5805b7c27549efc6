//! The errors that this layer itself answers with, in the reference's codes, domains and fields.

use virtbus_polkit::Refusal;
use virtbus_proto::error::ErrorMessage;

/// `VIR_ERR_INTERNAL_ERROR`
pub const INTERNAL_ERROR: i32 = 1;
/// `VIR_ERR_INVALID_ARG`
pub const INVALID_ARG: i32 = 8;
/// `VIR_ERR_OPERATION_DENIED`
pub const OPERATION_DENIED: i32 = 29;
/// `VIR_ERR_SYSTEM_ERROR`
pub const SYSTEM_ERROR: i32 = 38;
/// `VIR_ERR_RPC`
pub const RPC: i32 = 39;
/// `VIR_ERR_AUTH_FAILED`
pub const AUTH_FAILED: i32 = 45;
/// `VIR_ERR_OPERATION_TIMEOUT`
pub const OPERATION_TIMEOUT: i32 = 68;
/// `VIR_ERR_AUTH_CANCELLED`
pub const AUTH_CANCELLED: i32 = 79;
/// `VIR_ERR_DBUS_SERVICE`
pub const DBUS_SERVICE: i32 = 89;
/// `VIR_ERR_AUTH_UNAVAILABLE`
pub const AUTH_UNAVAILABLE: i32 = 94;
/// The domain `VIR_FROM_RPC`
pub const FROM_RPC: i32 = 7;
/// The domain `VIR_FROM_DBUS`
const FROM_DBUS: i32 = 47;
/// The domain `VIR_FROM_POLKIT`
const FROM_POLKIT: i32 = 60;
/// The level `VIR_ERR_ERROR`
const LEVEL_ERROR: i32 = 2;

/// What a call is answered with when it fails. Boxed, because results are moved about far more often than they fail.
pub type Failure = Box<ErrorMessage>;

/// An error of the RPC layer whose message is `text`, filled in as the reference does for a plain text.
pub fn plain(code: i32, text: impl Into<String>) -> Failure {
    let text = text.into();
    Box::new(ErrorMessage {
        code,
        domain: FROM_RPC,
        message: Some(text.clone()),
        level: LEVEL_ERROR,
        str1: Some("%s".to_owned()),
        str2: Some(text),
        int1: -1,
        int2: -1,
        ..ErrorMessage::default()
    })
}

/// An error with a phrase of its code's before the detail.
fn phrased(code: i32, domain: i32, phrase: &str, detail: &str) -> Failure {
    let (message, str1) = (Some(format!("{phrase}: {detail}")), Some(format!("{phrase}: %1$s")));
    Box::new(ErrorMessage { domain, message, str1, str2: Some(detail.to_owned()), ..*plain(code, "") })
}

/// What polkit says, or that it says nothing.
pub fn refused_by_polkit(refusal: &Refusal) -> Failure {
    let detail = refusal.to_string();
    match refusal {
        Refusal::Denied => phrased(AUTH_FAILED, FROM_POLKIT, "authentication failed", &detail),
        Refusal::Cancelled => phrased(AUTH_CANCELLED, FROM_POLKIT, "authentication cancelled", &detail),
        Refusal::NoAgent(_) => phrased(AUTH_UNAVAILABLE, FROM_POLKIT, "authentication unavailable", &detail),
        Refusal::Absent { .. } | Refusal::Failed { .. } => {
            phrased(DBUS_SERVICE, FROM_DBUS, "error from service", &detail)
        }
    }
}

/// A frame that breaks the protocol.
pub fn rpc(text: impl Into<String>) -> Failure {
    plain(RPC, text)
}

/// A fault of this daemon, or a call out of order.
pub fn internal(text: impl AsRef<str>) -> Failure {
    phrased(INTERNAL_ERROR, FROM_RPC, "internal error", text.as_ref())
}

/// A system call failed: `what`, then the system's own words.
pub fn system(what: &str, error: &std::io::Error) -> Failure {
    let (number, text) = (error.raw_os_error().unwrap_or(-1), error.to_string());
    // std appends the number, which is in a field of its own here.
    let reason = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
    Box::new(ErrorMessage { int1: number, ..*plain(SYSTEM_ERROR, format!("{what}: {reason}")) })
}

/// Somebody else did not answer in time.
pub fn timeout(text: impl std::fmt::Display) -> Failure {
    plain(OPERATION_TIMEOUT, format!("Timed out during operation: {text}"))
}

/// A call of a program or version that is not served here.
pub fn unknown_program(program: u32, version: u32) -> Failure {
    rpc(format!("Cannot find program {program} version {version}"))
}

/// A call of a number that is no procedure. Clients match the beginning of the text and fall back to older calls.
pub fn unknown_procedure(number: i32) -> Failure {
    rpc(format!("unknown procedure: {number}"))
}

/// Arguments that are not what the procedure takes.
pub fn undecodable() -> Failure {
    rpc("Unable to decode message payload")
}

/// A result that does not fit on the wire.
pub fn unencodable() -> Failure {
    rpc("Unable to encode message payload")
}

/// A call before `CONNECT_OPEN`.
pub fn not_open() -> Failure {
    internal("hypervisor connection not open")
}

/// A call before authentication.
pub fn authentication_required() -> Failure {
    rpc("authentication required")
}

/// Authentication was tried, and failed or is not possible.
pub fn authentication_failed(reason: &str) -> Failure {
    let text =
        if reason.is_empty() { "authentication failed".to_owned() } else { format!("authentication failed: {reason}") };
    plain(AUTH_FAILED, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libvirtd 11.3 answers `AUTH_POLKIT` (observed).
    #[test]
    fn what_polkit_says_has_the_references_code() {
        let of = |refusal| {
            let it = refused_by_polkit(&refusal);
            (it.code, it.domain, it.message.unwrap_or_default(), it.str1.unwrap_or_default())
        };
        let no_agent =
            "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'";
        let expected = (94, 60, no_agent.to_owned(), "authentication unavailable: %1$s".to_owned());
        assert_eq!(of(Refusal::NoAgent("org.libvirt.unix.manage".to_owned())), expected);
        let denied = "authentication failed: access denied by policy".to_owned();
        assert_eq!(of(Refusal::Denied), (45, 60, denied, "authentication failed: %1$s".to_owned()));
        let absent = of(Refusal::Absent { action: "x".to_owned(), why: "y".to_owned() });
        assert_eq!((absent.0, absent.1, absent.3.as_str()), (89, 47, "error from service: %1$s"));
    }
}
