//! The node that reaches an image: a file, a device, a server. Formats are not known here.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::device::disk::{
    Auth, DiskDevice, DiskKind, DiskSource, Encryption, Host, HostTransport, Protocol,
};
use virtbus_schema::xml::YesNo;

use crate::device::props::props;
use crate::device::secret;
use crate::device::{Cx, Part};

props! {
    pub(super) struct File {
        driver: &'static str,
        filename: String,
        aio: Option<&'static str>,
        pr_manager: Option<String>,
    }

    pub(super) struct Fat { driver: &'static str, dir: String, floppy: bool, rw: bool }

    pub(super) struct Nvme { driver: &'static str, device: String, namespace: u64 }

    pub(super) struct Nbd {
        driver: &'static str,
        server: Address,
        export: Option<String>,
        tls_creds: Option<String>,
        tls_hostname: Option<String>,
        reconnect_delay: Option<u32>,
    }

    pub(super) struct Gluster {
        driver: &'static str,
        volume: String,
        path: String,
        server: Vec<Address>,
        debug: u32,
    }

    /// Where a server is; members come in the order each protocol has them.
    pub(super) struct Address {
        #[serde(rename = "type")]
        kind: Option<&'static str>,
        path: Option<String>,
        host: Option<String>,
        port: Option<String>,
    }

    pub(super) struct Iscsi {
        driver: &'static str,
        portal: String,
        target: String,
        lun: u32,
        transport: &'static str,
        user: Option<String>,
        password_secret: Option<String>,
        initiator_name: Option<String>,
    }

    pub(super) struct Rbd {
        driver: &'static str,
        pool: String,
        image: String,
        snapshot: Option<String>,
        conf: Option<String>,
        server: Vec<Address>,
        encrypt: Option<Layer>,
        user: Option<String>,
        auth_client_required: Vec<&'static str>,
        key_secret: Option<String>,
    }

    pub(super) struct Layer { format: &'static str, key_secret: String, parent: Option<Box<Layer>> }

    pub(super) struct Ssh { driver: &'static str, path: String, server: Address, user: Option<String> }

    pub(super) struct Nfs {
        driver: &'static str,
        server: NfsServer,
        path: String,
        user: Option<u32>,
        group: Option<u32>,
    }

    pub(super) struct NfsServer { host: String, #[serde(rename = "type")] kind: &'static str }

    pub(super) struct Url {
        driver: &'static str,
        url: String,
        username: Option<String>,
        password_secret: Option<String>,
        sslverify: Option<bool>,
        cookie_secret: Option<String>,
        timeout: Option<u64>,
        readahead: Option<u64>,
    }

    struct TlsCredentials {
        qom_type: &'static str,
        id: String,
        dir: String,
        endpoint: &'static str,
        verify_peer: bool,
    }

    struct Reservations { qom_type: &'static str, id: String, path: String }
}

/// How an image is reached.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(untagged)]
pub(super) enum How {
    File(File),
    Fat(Fat),
    Nvme(Nvme),
    Nbd(Nbd),
    Gluster(Gluster),
    Iscsi(Iscsi),
    Rbd(Rbd),
    Ssh(Ssh),
    Nfs(Nfs),
    Url(Url),
}

impl Default for How {
    fn default() -> Self {
        Self::File(File::default())
    }
}

impl crate::device::props::Absent for How {
    fn absent(&self) -> bool {
        false
    }
}

/// What the secret of a disk's account is called after its node.
pub(super) const ACCOUNT: &str = "auth-secret0";

/// An image to be reached.
pub(super) struct Reached<'a> {
    pub(super) kind: DiskKind,
    pub(super) source: &'a DiskSource,
    /// The node's name; objects it needs are named after it.
    pub(super) node: &'a str,
    pub(super) aio: Option<&'static str>,
    pub(super) device: DiskDevice,
    /// Credentials an older document has beside the source.
    pub(super) auth: Option<&'a Auth>,
    /// What the secret of the account is called after the node.
    pub(super) auth_secret: &'static str,
    pub(super) encryption: Option<&'a Encryption>,
}

/// Objects the node needs, and the node's own properties.
pub(super) fn reach(it: &Reached<'_>, cx: &mut Cx<'_>) -> Result<(Vec<Part>, How)> {
    let source = it.source;
    let missing = |what: &str| Error::internal(format!("node {}: the source has no {what}", it.node));
    let mut objects = Vec::new();
    if let Some(group) = &source.fdgroup {
        // Descriptors of clients are not taken: see `virDomainFDAssociate` in the list of what is not done.
        return Err(Error::invalid_arg(format!("file descriptor group '{group}' was not associated with the domain")));
    }
    let how = match it.kind {
        DiskKind::File => How::File(File {
            driver: "file",
            filename: source.file.clone().ok_or_else(|| missing("path"))?,
            aio: it.aio,
            pr_manager: reservations(it, &mut objects)?,
        }),
        DiskKind::Block => How::File(File {
            driver: "host_device",
            filename: source.dev.clone().ok_or_else(|| missing("path"))?,
            aio: it.aio,
            pr_manager: reservations(it, &mut objects)?,
        }),
        DiskKind::Dir => How::Fat(Fat {
            driver: "vvfat",
            dir: source.dir.clone().ok_or_else(|| missing("path"))?,
            floppy: it.device == DiskDevice::Floppy,
            rw: false,
        }),
        DiskKind::Nvme => {
            let place = source.address.ok_or_else(|| missing("address"))?;
            How::Nvme(Nvme {
                driver: "nvme",
                device: format!("{:04x}:{:02x}:{:02x}.{}", place.domain, place.bus, place.slot, place.function),
                namespace: source.namespace.ok_or_else(|| missing("namespace"))?,
            })
        }
        DiskKind::Network => network(it, cx, &mut objects)?,
        DiskKind::Volume => {
            let pool = source.pool.as_deref().unwrap_or_default();
            let text = format!("no storage pool with matching name '{pool}'");
            return Err(Error::new(ErrorCode::NoStoragePool, text));
        }
        DiskKind::VhostUser | DiskKind::VhostVdpa => {
            return Err(Error::internal(format!("a disk of type '{}' has no image", it.kind)));
        }
    };
    Ok((objects, how))
}

/// Who grants reservations on a SCSI device: the object, unless it is the one all of a guest's disks share.
fn reservations(it: &Reached<'_>, objects: &mut Vec<Part>) -> Result<Option<String>> {
    let Some(asked) = &it.source.reservations else { return Ok(None) };
    if asked.managed == YesNo::Yes {
        return Ok(Some(MANAGED_RESERVATIONS.to_owned()));
    }
    let Some(source) = &asked.source else { return Ok(None) };
    let id = format!("pr-helper-{}", it.node);
    objects.push(reservations_by(&id, source.path.clone())?);
    Ok(Some(id))
}

/// The object that is shared by all disks whose reservations the daemon sees to.
pub(crate) const MANAGED_RESERVATIONS: &str = "pr-helper0";

/// The object that asks a helper behind a socket.
pub(crate) fn reservations_by(id: &str, path: String) -> Result<Part> {
    Part::object(id, &Reservations { qom_type: "pr-manager-helper", id: id.to_owned(), path })
}

fn network(it: &Reached<'_>, cx: &mut Cx<'_>, objects: &mut Vec<Part>) -> Result<How> {
    let source = it.source;
    let protocol = source.protocol.ok_or_else(|| Error::internal(format!("node {}: no protocol", it.node)))?;
    let tls = source.tls == Some(YesNo::Yes);
    if tls && protocol != Protocol::Nbd {
        return Err(Error::unsupported_config(format!(
            "TLS transport is not supported for disk protocol '{protocol}'"
        )));
    }
    let name = source.name.clone().unwrap_or_default();
    let (user, password) = account(it, protocol, cx, objects)?;
    Ok(match protocol {
        Protocol::Nbd => {
            let tls_creds = if tls { Some(credentials(it.node, objects)?) } else { None };
            How::Nbd(Nbd {
                driver: "nbd",
                server: inet_or_unix(only_host(source, protocol)?)?,
                export: source.name.clone(),
                tls_hostname: source.tls_hostname.clone().filter(|_| tls),
                tls_creds,
                reconnect_delay: source.reconnect.and_then(|it| it.delay).filter(|it| *it > 0),
            })
        }
        Protocol::Gluster => {
            let (volume, path) = split(&name)?;
            let server = source.hosts.iter().map(inet_or_unix).collect::<Result<_>>()?;
            How::Gluster(Gluster { driver: "gluster", volume, path, server, debug: 4 })
        }
        Protocol::Iscsi => iscsi(source, &name, user, password)?,
        Protocol::Rbd => rbd(it, &name, user, password, cx, objects)?,
        Protocol::Ssh => {
            let server = tcp(only_host(source, protocol)?)?;
            let identity = source.identity.as_ref().and_then(|it| it.username.clone());
            How::Ssh(Ssh { driver: "ssh", path: name, server, user: user.or(identity) })
        }
        Protocol::Nfs => {
            let host = only_host(source, protocol)?.name.clone().unwrap_or_default();
            let identity = source.identity.as_ref();
            How::Nfs(Nfs {
                driver: "nfs",
                server: NfsServer { host, kind: "inet" },
                path: name,
                user: identity.and_then(|it| it.user.as_deref()).map(user_id).transpose()?,
                group: identity.and_then(|it| it.group.as_deref()).map(group_id).transpose()?,
            })
        }
        Protocol::Http | Protocol::Https | Protocol::Ftp | Protocol::Ftps => {
            url(it, protocol, (user, password), cx, objects)?
        }
        Protocol::Vxhs => {
            return Err(Error::unsupported_config("VxHS protocol is not supported with this QEMU binary"));
        }
        Protocol::Sheepdog | Protocol::Tftp => {
            return Err(Error::unsupported_config(format!(
                "'{protocol}' protocol is not supported with this QEMU binary"
            )));
        }
    })
}

/// The account at the server: its name, and the id of the secret object.
fn account(
    it: &Reached<'_>,
    protocol: Protocol,
    cx: &Cx<'_>,
    objects: &mut Vec<Part>,
) -> Result<(Option<String>, Option<String>)> {
    let Some(auth) = it.source.auth.as_ref().or(it.auth) else { return Ok((None, None)) };
    let id = format!("{}-{}", it.node, it.auth_secret);
    objects.push(cx.secrets.object(&id, &secret::of_account(auth, Some(protocol))?)?);
    Ok((Some(auth.username.clone()), Some(id)))
}

fn credentials(node: &str, objects: &mut Vec<Part>) -> Result<String> {
    let id = format!("obj{node}_tls0");
    let object = TlsCredentials {
        qom_type: "tls-creds-x509",
        id: id.clone(),
        dir: "/etc/pki/qemu".to_owned(),
        endpoint: "client",
        verify_peer: true,
    };
    objects.push(Part::object(&id, &object)?);
    Ok(id)
}

fn only_host(source: &DiskSource, protocol: Protocol) -> Result<&Host> {
    match source.hosts.as_slice() {
        [host] => Ok(host),
        _ => Err(Error::internal(format!("protocol '{protocol}' accepts only one host"))),
    }
}

fn port(host: &Host) -> String {
    host.port.unwrap_or(0).to_string()
}

fn inet_or_unix(host: &Host) -> Result<Address> {
    match host.transport.unwrap_or(HostTransport::Tcp) {
        HostTransport::Tcp => Ok(Address { kind: Some("inet"), ..tcp(host)? }),
        HostTransport::Unix => Ok(Address { kind: Some("unix"), path: host.socket.clone(), host: None, port: None }),
        HostTransport::Rdma => Err(Error::internal("transport protocol 'rdma' is not yet supported")),
    }
}

fn tcp(host: &Host) -> Result<Address> {
    if host.transport.is_some_and(|it| it != HostTransport::Tcp) {
        return Err(Error::internal("only TCP protocol can be converted to InetSocketAddress"));
    }
    Ok(Address { kind: None, path: None, host: host.name.clone(), port: Some(port(host)) })
}

/// `pool/image`: everything behind the first slash is the image.
fn split(name: &str) -> Result<(String, String)> {
    let (pool, image) = name.split_once('/').ok_or_else(|| Error::internal(format!("'{name}' has no image")))?;
    Ok((pool.to_owned(), image.to_owned()))
}

/// An address as it stands in a URL: IPv6 needs brackets.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn iscsi(source: &DiskSource, name: &str, user: Option<String>, password_secret: Option<String>) -> Result<How> {
    let host = only_host(source, Protocol::Iscsi)?;
    let (target, lun) = name.split_once('/').unwrap_or((name, "0"));
    let lun = lun.parse().map_err(|_| Error::internal(format!("cannot parse target for lunStr '{target}'")))?;
    Ok(How::Iscsi(Iscsi {
        driver: "iscsi",
        portal: format!("{}:{}", bracketed(host.name.as_deref().unwrap_or_default()), port(host)),
        target: target.to_owned(),
        lun,
        transport: "tcp",
        user,
        password_secret,
        initiator_name: source.initiator.clone(),
    }))
}

fn rbd(
    it: &Reached<'_>,
    name: &str,
    user: Option<String>,
    key_secret: Option<String>,
    cx: &Cx<'_>,
    objects: &mut Vec<Part>,
) -> Result<How> {
    let (pool, image) = split(name)?;
    let mut encrypt = None;
    if let Some(encryption) = it.encryption.filter(|it| it.engine.as_deref() == Some("librbd")) {
        let ids = passphrases(it.node, encryption, cx, objects)?;
        // Layers lie on top of each other; the last passphrase is the innermost's.
        for key_secret in ids.into_iter().rev() {
            encrypt = Some(Layer { format: encryption.format.as_str(), key_secret, parent: encrypt.map(Box::new) });
        }
    }
    Ok(How::Rbd(Rbd {
        driver: "rbd",
        pool,
        image,
        snapshot: it.source.snapshot.clone(),
        conf: it.source.config.clone(),
        server: it.source.hosts.iter().map(tcp).collect::<Result<_>>()?,
        encrypt,
        auth_client_required: if key_secret.is_some() { vec!["cephx", "none"] } else { Vec::new() },
        user,
        key_secret,
    }))
}

/// Objects for the passphrases of an encrypted image, and their ids.
pub(super) fn passphrases(
    node: &str,
    encryption: &Encryption,
    cx: &Cx<'_>,
    objects: &mut Vec<Part>,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for (at, it) in encryption.secrets.iter().enumerate() {
        let id = format!("{node}-encryption-secret{at}");
        objects.push(cx.secrets.object(&id, &secret::of_image(it)?)?);
        ids.push(id);
    }
    Ok(ids)
}

fn url(
    it: &Reached<'_>,
    protocol: Protocol,
    (username, password_secret): (Option<String>, Option<String>),
    cx: &Cx<'_>,
    objects: &mut Vec<Part>,
) -> Result<How> {
    let source = it.source;
    let host = only_host(source, protocol)?;
    let authority = match host.transport.unwrap_or(HostTransport::Tcp) {
        HostTransport::Tcp => {
            format!("{protocol}://{}:{}", bracketed(host.name.as_deref().unwrap_or_default()), port(host))
        }
        other => format!("{protocol}+{other}://"),
    };
    let name = source.name.as_deref().unwrap_or_default();
    let query = source.query.as_ref().map(|it| format!("?{it}")).unwrap_or_default();
    let mut cookie_secret = None;
    if !source.cookies.is_empty() {
        let cookies: Vec<String> = source.cookies.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
        let id = format!("{}-httpcookie-secret0", it.node);
        objects.push(cx.secrets.carry(&id, cookies.join("; ").as_bytes())?);
        cookie_secret = Some(id);
    }
    Ok(How::Url(Url {
        driver: protocol.as_str(),
        url: format!("{authority}/{}{query}", name.trim_start_matches('/')),
        username,
        password_secret,
        sslverify: source
            .ssl_verify
            .filter(|_| matches!(protocol, Protocol::Https | Protocol::Ftps))
            .map(|it| it == YesNo::Yes),
        cookie_secret,
        timeout: source.timeout.filter(|it| *it > 0),
        readahead: source.readahead.filter(|it| *it > 0),
    }))
}

/// A user by number (`+0`, `1000`) or name.
fn user_id(text: &str) -> Result<u32> {
    let number = text.strip_prefix('+').unwrap_or(text).parse().ok();
    let named = || nix::unistd::User::from_name(text).ok().flatten().map(|it| it.uid.as_raw());
    number.or_else(named).ok_or_else(|| Error::invalid_arg(format!("Failed to parse user '{text}'")))
}

/// A group by number or name.
fn group_id(text: &str) -> Result<u32> {
    let number = text.strip_prefix('+').unwrap_or(text).parse().ok();
    let named = || nix::unistd::Group::from_name(text).ok().flatten().map(|it| it.gid.as_raw());
    number.or_else(named).ok_or_else(|| Error::invalid_arg(format!("Failed to parse group '{text}'")))
}

/// The nodes of an iSCSI unit that is handed to the guest as it is.
pub(crate) fn iscsi_unit(source: &DiskSource, node: &str, read_only: bool, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
    props! {
        struct Unit { #[serde(flatten)] how: How, node_name: String, read_only: bool }
    }
    let reached = Reached {
        kind: DiskKind::Network,
        source,
        node,
        aio: None,
        device: DiskDevice::Lun,
        auth: None,
        auth_secret: "secret0",
        encryption: None,
    };
    let (mut parts, how) = reach(&reached, cx)?;
    parts.push(Part::blockdev(node, &Unit { how, node_name: node.to_owned(), read_only })?);
    Ok(parts)
}
