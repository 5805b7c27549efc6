//! The errors that this layer itself answers with, in the reference's codes, domains and fields.

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
/// `VIR_ERR_AUTH_UNAVAILABLE`
pub const AUTH_UNAVAILABLE: i32 = 94;
/// The domain `VIR_FROM_RPC`
pub const FROM_RPC: i32 = 7;
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

/// A frame that breaks the protocol.
pub fn rpc(text: impl Into<String>) -> Failure {
    plain(RPC, text)
}

/// A fault of this daemon, or a call out of order.
pub fn internal(text: impl Into<String>) -> Failure {
    let text = text.into();
    let message = Some(format!("internal error: {text}"));
    let str1 = Some("internal error: %1$s".to_owned());
    Box::new(ErrorMessage { message, str1, str2: Some(text), ..*plain(INTERNAL_ERROR, "") })
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
