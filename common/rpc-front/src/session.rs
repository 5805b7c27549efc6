//! The session: opening and closing, what is supported, where one is.
//!
//! Authentication, keepalive and identity are answered by the server before a call comes here.

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_proto::{
    Entry, Procedure, Program,
    table::{
        ConnectClose, ConnectGetUri, ConnectGetUriReply, ConnectIsSecure, ConnectIsSecureReply, ConnectOpen,
        ConnectRegisterCloseCallback, ConnectSupportsFeature, ConnectSupportsFeatureReply,
        ConnectUnregisterCloseCallback,
    },
};

use crate::{
    Hypervisor,
    error::{Fault, Result},
    from_wire,
    routes::Routes,
};

bitflags::bitflags! {
    /// What a client says when it opens; it sends its own library's bits along (observed: 2 and 4).
    #[derive(Debug, Clone, Copy)]
    struct OpenFlags: u32 {
        /// `VIR_CONNECT_RO`.
        const READ_ONLY = 1 << 0;
        const _ = !0;
    }
}

/// Features of a hypervisor daemon (`VIR_DRV_FEATURE_*`), as the QEMU driver of the reference answers (observed).
/// Migration is not served yet, so its features (3, 4, 6, 7, 11 to 13) are not claimed.
const FEATURES: &[i32] = &[
    8,  // FD_PASSING
    9,  // TYPED_PARAM_STRING
    10, // PROGRAM_KEEPALIVE
    14, // REMOTE_EVENT_CALLBACK
    15, // REMOTE_CLOSE_CALLBACK
    16, // NETWORK_UPDATE_HAS_CORRECT_ORDER: asked here, answered for virtnetworkd
];

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: ConnectOpen| {
            let flags: OpenFlags = from_wire::flags(&a, a.flags)?;
            if cx.client.is_open() {
                return Err(Fault::session("connection already open"));
            }
            check_uri(a.name.as_deref().unwrap_or_default(), &cx.driver.uri())?;
            if flags.contains(OpenFlags::READ_ONLY) {
                cx.client.set_read_only();
            }
            Ok(())
        })
        .on_last(|_, ConnectClose {}| Ok(()))
        .on_view(|_, a: ConnectSupportsFeature| {
            Ok(ConnectSupportsFeatureReply { supported: i32::from(FEATURES.contains(&a.feature)) })
        })
        .on_view(|cx, ConnectGetUri {}| Ok(ConnectGetUriReply { uri: cx.driver.uri() }))
        // Over a Unix socket nothing can be overheard.
        .on_view(|_, ConnectIsSecure {}| Ok(ConnectIsSecureReply { secure: 1 }))
        // The event behind these tells that a connection further on was lost; there is none further on.
        .on_view(|_, ConnectRegisterCloseCallback {}| Ok(()))
        .on_view(|_, ConnectUnregisterCloseCallback {}| Ok(()))
}

/// Accepts the URI that a client opens here, or refuses it as the reference does. An empty one means "whatever is here".
fn check_uri(asked: &str, own: &str) -> Result<()> {
    if asked.is_empty() {
        return Ok(());
    }
    let no_connect = |detail: &str| Error::new(ErrorCode::NoConnect, detail).in_domain(ErrorDomain::Nowhere).into();
    if asked.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return Err(Error::internal(format!("Unable to parse URI {asked}")).in_domain(ErrorDomain::Uri).into());
    }
    let (asked_scheme, asked_rest) = match asked.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => (scheme, rest),
        _ => return Err(no_connect(&format!("URI '{asked}' does not include a driver name"))),
    };
    let (scheme, rest) = own.split_once(':').unwrap_or((own, ""));
    let (host, path) = host_and_path(asked_rest);
    if asked_scheme != scheme || !host.is_empty() {
        return Err(no_connect(asked));
    }
    if path == host_and_path(rest).1 {
        return Ok(());
    }
    let detail = format!("unexpected {scheme} URI path '{path}', try {own}");
    Err(Error::internal(detail).in_domain(ErrorDomain::Nowhere).into())
}

/// The host (without user and port) and the path of what follows a scheme; query and fragment are left out.
fn host_and_path(rest: &str) -> (&str, &str) {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    match rest.strip_prefix("//") {
        None => ("", rest),
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            (host.split(':').next().unwrap_or_default(), path)
        }
    }
}

/// Whether the call may be made before a connection is open.
pub(crate) fn precedes_open(entry: &Entry) -> bool {
    match entry.program {
        Program::Remote => entry.number == ConnectOpen::NUMBER || entry.number == ConnectClose::NUMBER,
        Program::Admin => true,
        Program::Qemu | Program::Lxc | Program::Keepalive => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libvirtd 11.3 answered in session mode.
    #[test]
    fn uris_are_accepted_and_refused_as_the_reference_does() {
        let own = "qemu:///session";
        for uri in ["", "qemu:///session", "qemu:///session?x=y", "qemu:///session#f", "qemu://root@/session"] {
            assert!(check_uri(uri, own).is_ok(), "{uri}");
        }
        for (uri, code, text) in [
            ("qemu:///system", 1, "internal error: unexpected qemu URI path '/system', try qemu:///session"),
            ("qemu:session", 1, "internal error: unexpected qemu URI path 'session', try qemu:///session"),
            ("qemu:///session/", 1, "internal error: unexpected qemu URI path '/session/', try qemu:///session"),
            ("qemu:", 1, "internal error: unexpected qemu URI path '', try qemu:///session"),
            ("foo:///x", 5, "no connection driver available for foo:///x"),
            ("QEMU:///session", 5, "no connection driver available for QEMU:///session"),
            ("qemu", 5, "no connection driver available for URI 'qemu' does not include a driver name"),
            ("///session", 5, "no connection driver available for URI '///session' does not include a driver name"),
            ("not a uri", 1, "internal error: Unable to parse URI not a uri"),
        ] {
            let fault = check_uri(uri, own).unwrap_err().into_message();
            assert_eq!((fault.code, fault.message.as_deref()), (code, Some(text)), "{uri}");
        }
        assert_eq!(check_uri("qemu://host/session", own).unwrap_err().message().code, 5);
    }
}
