//! The session: opening and closing, what is supported, where one is.
//!
//! Authentication, keepalive and identity are answered by the server before a call comes here.

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_proto::{
    Entry, Procedure, Program,
    table::{
        ConnectClose, ConnectGetCapabilities, ConnectGetCapabilitiesReply, ConnectGetLibVersion,
        ConnectGetLibVersionReply, ConnectGetType, ConnectGetTypeReply, ConnectGetUri, ConnectGetUriReply,
        ConnectIsSecure, ConnectIsSecureReply, ConnectOpen, ConnectRegisterCloseCallback, ConnectSupportsFeature,
        ConnectSupportsFeatureReply, ConnectUnregisterCloseCallback,
    },
};
use virtbus_schema::xml::YesNo;

use crate::{
    Hypervisor, Network, Storage,
    admin::LIBRARY_VERSION,
    client::Opened,
    error::{Fault, Result, domain_of},
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

/// What a session must know of an engine.
pub(crate) trait Session: Send + Sync + 'static {
    /// What it supports (`VIR_DRV_FEATURE_*`), as the reference's driver answers (observed).
    const FEATURES: &[i32];

    /// The URIs that open it. The first is what a client gets that names none.
    fn uris(&self) -> Vec<String>;
}

impl Session for Hypervisor {
    /// Migration is not served yet, so its features (3, 4, 6, 7, 11 to 13) are not claimed.
    const FEATURES: &[i32] = &[
        8,  // FD_PASSING
        9,  // TYPED_PARAM_STRING
        10, // PROGRAM_KEEPALIVE
        14, // REMOTE_EVENT_CALLBACK
        15, // REMOTE_CLOSE_CALLBACK
        16, // NETWORK_UPDATE_HAS_CORRECT_ORDER: asked here, answered for virtnetworkd
    ];

    fn uris(&self) -> Vec<String> {
        vec![self.uri()]
    }
}

impl Session for Network {
    const FEATURES: &[i32] = &[8, 9, 10, 14, 15, 16];

    fn uris(&self) -> Vec<String> {
        vec![self.uri()]
    }
}

impl Session for Storage {
    const FEATURES: &[i32] = &[8, 10, 14, 15];

    /// Who names one of them has that one alone; who names none, as daemons that relay, has both by one connection.
    fn uris(&self) -> Vec<String> {
        let own = self.uri();
        let secret = format!("secret:{}", own.split_once(':').map_or("", |(_, rest)| rest));
        vec![own, secret]
    }
}

pub(crate) fn routes<D: ?Sized + Session>() -> Routes<D> {
    Routes::<D>::default()
        .on_view(|cx, a: ConnectOpen| {
            let flags: OpenFlags = from_wire::flags(&a, a.flags)?;
            if cx.client.is_open() {
                return Err(Fault::session("connection already open"));
            }
            let name = a.name.as_deref().unwrap_or_default();
            cx.set_opened(Opened { uri: choose(name, &cx.driver.uris())?, is_named: !name.is_empty() });
            if flags.contains(OpenFlags::READ_ONLY) {
                cx.client.set_read_only();
            }
            Ok(())
        })
        .on_last(|_, ConnectClose {}| Ok(()))
        .on_view(|_, a: ConnectSupportsFeature| {
            Ok(ConnectSupportsFeatureReply { supported: i32::from(D::FEATURES.contains(&a.feature)) })
        })
        .on_view(|cx, ConnectGetUri {}| Ok(ConnectGetUriReply { uri: cx.opened() }))
        // Over a Unix socket nothing can be overheard.
        .on_view(|_, ConnectIsSecure {}| Ok(ConnectIsSecureReply { secure: 1 }))
        // The event behind these tells that a connection further on was lost; there is none further on.
        .on_view(|_, ConnectRegisterCloseCallback {}| Ok(()))
        .on_view(|_, ConnectUnregisterCloseCallback {}| Ok(()))
}

/// What a daemon without a hypervisor says of itself. Nothing else of the host: the reference's do not either (observed).
pub(crate) fn single_routes<D: ?Sized + Session>() -> Routes<D> {
    Routes::<D>::default()
        .on_view(|cx, ConnectGetType {}| {
            let opened = cx.opened();
            Ok(ConnectGetTypeReply { r#type: opened.split(':').next().unwrap_or_default().to_owned() })
        })
        .on_view(|_, ConnectGetLibVersion {}| Ok(ConnectGetLibVersionReply { lib_ver: LIBRARY_VERSION }))
}

/// The capabilities of a storage connection: the kinds of pools there are, in the reference's layout (observed).
pub(crate) fn storage_routes() -> Routes<Storage> {
    Routes::<Storage>::default().on_view(|cx, ConnectGetCapabilities {}| {
        if !cx.opened().starts_with("storage:") {
            return Err(Fault::not_served(ConnectGetCapabilities::ENTRY));
        }
        let known = cx.driver.capabilities().pools.into_iter().filter(|it| it.supported == YesNo::Yes);
        let kinds: String = known.map(|it| format!("      <value>{}</value>\n", it.kind.as_str())).collect();
        let capabilities = format!(
            "<capabilities>\n\n  <pool>\n    <enum name='type'>\n{kinds}    </enum>\n  </pool>\n\n</capabilities>\n"
        );
        Ok(ConnectGetCapabilitiesReply { capabilities })
    })
}

/// Which of a daemon's own URIs a client opens, or why none, in the reference's words. An empty name means the first.
fn choose(asked: &str, own: &[String]) -> Result<String> {
    let no_connect = |detail: &str| Error::new(ErrorCode::NoConnect, detail).in_domain(ErrorDomain::Nowhere).into();
    if asked.is_empty() {
        return own.first().cloned().ok_or_else(|| no_connect(asked));
    }
    if asked.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return Err(Error::internal(format!("Unable to parse URI {asked}")).in_domain(ErrorDomain::Uri).into());
    }
    let (asked_scheme, asked_rest) = match asked.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => (scheme, rest),
        _ => return Err(no_connect(&format!("URI '{asked}' does not include a driver name"))),
    };
    let (host, path) = host_and_path(asked_rest);
    let known = own.iter().filter_map(|it| it.split_once(':').map(|(scheme, rest)| (it, scheme, rest)));
    let Some((uri, scheme, rest)) = known.into_iter().find(|(_, scheme, _)| *scheme == asked_scheme && host.is_empty())
    else {
        return Err(no_connect(asked));
    };
    if path == host_and_path(rest).1 {
        return Ok(uri.clone());
    }
    let detail = format!("unexpected {scheme} URI path '{path}', try {uri}");
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

/// Whether a connection to this URI has the procedure: one to secrets has no pools, and the other way round (observed).
pub(crate) fn has(uri: &str, entry: &Entry) -> bool {
    let foreign = match uri.split(':').next() {
        Some("storage") => ErrorDomain::Secret,
        Some("secret") => ErrorDomain::Storage,
        _ => return true,
    };
    domain_of(entry) != foreign
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
        let own = ["qemu:///session".to_owned()];
        let choose = |uri| choose(uri, &own);
        for uri in ["", "qemu:///session", "qemu:///session?x=y", "qemu:///session#f", "qemu://root@/session"] {
            assert!(choose(uri).is_ok(), "{uri}");
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
            let fault = choose(uri).unwrap_err().into_message();
            assert_eq!((fault.code, fault.message.as_deref()), (code, Some(text)), "{uri}");
        }
        assert_eq!(choose("qemu://host/session").unwrap_err().message().code, 5);
    }

    /// What libvirtd 11.3 answered to the drivers that have no hypervisor.
    #[test]
    fn each_of_several_uris_opens() {
        let own = ["storage:///system".to_owned(), "secret:///system".to_owned()];
        assert_eq!(choose("", &own).as_deref(), Ok("storage:///system"));
        assert_eq!(choose("secret:///system", &own).as_deref(), Ok("secret:///system"));
        let refusal = |uri| choose(uri, &own).unwrap_err().into_message();
        let text = "internal error: unexpected secret URI path '/session', try secret:///system";
        let fault = refusal("secret:///session");
        assert_eq!((fault.code, fault.domain, fault.message.as_deref()), (1, 0, Some(text)));
        assert_eq!(refusal("network:///system").code, 5);
    }
}
