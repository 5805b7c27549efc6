//! How the servers behind network disks are reached, and who they are told asks.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

/// `<host name='h' port='1'/>` or `<host transport='unix' socket='/path'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Host {
    #[xml(attr, form = crate::forms::host)]
    pub name: Option<String>,
    #[xml(attr, fault = Argument, free, form = crate::forms::host_port)]
    pub port: Option<u16>,
    #[xml(attr)]
    pub transport: Option<HostTransport>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub socket: Option<String>,
}

impl Host {
    /// By its name, or by a socket.
    pub(super) fn form(node: Node<'_>) -> Result<(), Error> {
        let by_socket = node.attr("transport").is_some_and(|it| it.value() == "unix");
        let (needed, strays): (&str, &[&str]) =
            if by_socket { ("socket", &["name", "port"]) } else { ("name", &["socket"]) };
        match strays.iter().find(|it| node.attr(it).is_some()) {
            Some(stray) => Err(node.error(ErrorKind::Unknown, format!("'{stray}' does not belong here"))),
            None if node.attr(needed).is_none() => Err(node.missing(&format!("@{needed}"))),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum HostTransport {
    Tcp,
    Unix,
    Rdma,
}

/// `<auth username='u'><secret type='iscsi' usage='x'/></auth>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Auth {
    #[xml(attr, form = crate::forms::word)]
    pub username: String,
    #[xml(child)]
    pub secret: AuthSecret,
}

/// `<secret type='ceph' uuid='...'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = AuthSecret::form)]
pub struct AuthSecret {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: Option<AuthSecretKind>,
    #[xml(attr)]
    pub uuid: Option<uuid::Uuid>,
    #[xml(attr)]
    pub usage: Option<String>,
}

impl AuthSecret {
    /// By its number or by its use, of a server of storage.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").map(|it| it.value());
        if !matches!(kind, Some("ceph" | "iscsi")) || node.attr("uuid").is_some() == node.attr("usage").is_some() {
            return Err(node.error(ErrorKind::Unknown, "a secret of type ceph or iscsi, by its uuid or its usage"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum AuthSecretKind {
    Volume,
    Ceph,
    Iscsi,
    Tls,
    Vtpm,
}

/// `<cookie name='a'>b</cookie>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Cookie {
    #[xml(attr)]
    pub name: String,
    #[xml(text)]
    pub value: String,
}

/// `<knownHosts path='/path'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct KnownHosts {
    #[xml(attr)]
    pub path: String,
}

/// `<identity>` of an SSH or NFS source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct SshIdentity {
    #[xml(attr)]
    pub user: Option<String>,
    #[xml(attr)]
    pub group: Option<String>,
    #[xml(attr)]
    pub username: Option<String>,
    #[xml(attr)]
    pub keyfile: Option<String>,
    #[xml(attr)]
    pub agentsock: Option<String>,
}

/// `<reconnect delay='10'/>`; for vhost-user `<reconnect enabled='yes' timeout='10'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct ReconnectDelay {
    #[xml(attr)]
    pub enabled: Option<YesNo>,
    #[xml(attr)]
    pub timeout: Option<u32>,
    #[xml(attr)]
    pub delay: Option<u32>,
}
