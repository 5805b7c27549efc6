//! The daemon about itself, on the admin socket: its servers and their clients.
//!
//! Worker threads do not exist here, so their numbers are not served; log settings are the daemon's own and come when
//! it offers them.

use std::{
    sync::{PoisonError, RwLock},
    time::UNIX_EPOCH,
};

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_proto::{
    table::{
        AdminClientClose, AdminClientGetInfo, AdminClientGetInfoReply, AdminConnectClose, AdminConnectGetLibVersion,
        AdminConnectGetLibVersionReply, AdminConnectListServers, AdminConnectListServersReply,
        AdminConnectLookupServer, AdminConnectLookupServerReply, AdminConnectOpen, AdminServerGetClientLimits,
        AdminServerGetClientLimitsReply, AdminServerListClients, AdminServerListClientsReply, AdminServerLookupClient,
        AdminServerLookupClientReply,
    },
    types::{AdminClient, AdminServer, TypedParam, TypedValue},
};
use virtbus_rpc::{
    peer::{Client, Identity},
    server::{Limits, Server},
};

use crate::{error::Result, from_wire, routes::Routes, to_wire};

/// `VIR_CLIENT_TRANS_UNIX`
const TRANSPORT_UNIX: u32 = 0;
/// libvirt 11.3.0, whose API is spoken.
pub(crate) const LIBRARY_VERSION: u64 = 11_003_000;

/// The servers of a daemon.
#[derive(Debug, Default)]
pub struct Admin {
    servers: RwLock<Vec<Served>>,
}

#[derive(Debug, Clone)]
struct Served {
    name: String,
    server: Server,
    limits: Limits,
}

impl Admin {
    /// Shows a server; the first one added is the daemon's main one.
    pub fn add(&self, name: impl Into<String>, server: Server, limits: Limits) {
        let served = Served { name: name.into(), server, limits };
        self.servers.write().unwrap_or_else(PoisonError::into_inner).push(served);
    }

    fn names(&self) -> Vec<AdminServer> {
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        servers.iter().map(|it| AdminServer { name: it.name.clone() }).collect()
    }

    fn server(&self, name: &str) -> Result<Served> {
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        let unknown = || not_found(ErrorCode::NoServer, format!("No server named '{name}'"));
        Ok(servers.iter().find(|it| it.name == name).cloned().ok_or_else(unknown)?)
    }

    fn client(&self, server: &str, id: u64) -> Result<Client> {
        let clients = self.server(server)?.server.clients();
        let unknown = || not_found(ErrorCode::NoClient, format!("No client with matching ID '{id}'"));
        Ok(clients.into_iter().find(|it| it.id() == id).ok_or_else(unknown)?)
    }
}

fn not_found(code: ErrorCode, text: String) -> Error {
    Error::new(code, text).in_domain(ErrorDomain::Rpc)
}

pub(crate) fn routes() -> Routes<Admin> {
    Routes::<Admin>::default()
        // There is nothing to open: the socket is the daemon's own user's alone.
        .on_view(|_, a: AdminConnectOpen| from_wire::no_flags(&a, a.flags))
        .on_last(|_, AdminConnectClose {}| Ok(()))
        .on_view(|_, AdminConnectGetLibVersion {}| Ok(AdminConnectGetLibVersionReply { lib_ver: LIBRARY_VERSION }))
        .on_view(|cx, a: AdminConnectListServers| {
            from_wire::no_flags(&a, a.flags)?;
            let servers = cx.driver.names();
            let ret = to_wire::count(servers.len());
            Ok(AdminConnectListServersReply { servers: if a.need_results == 0 { Vec::new() } else { servers }, ret })
        })
        .on_view(|cx, a: AdminConnectLookupServer| {
            from_wire::no_flags(&a, a.flags)?;
            let name = cx.driver.server(&a.name)?.name;
            Ok(AdminConnectLookupServerReply { srv: AdminServer { name } })
        })
        .on_view(|cx, a: AdminServerListClients| {
            from_wire::no_flags(&a, a.flags)?;
            let clients = cx.driver.server(&a.srv.name)?.server.clients();
            let ret = to_wire::count(clients.len());
            let clients = clients.iter().filter(|_| a.need_results != 0).map(|it| client(&a.srv, it)).collect();
            Ok(AdminServerListClientsReply { clients, ret })
        })
        .on_view(|cx, a: AdminServerLookupClient| {
            from_wire::no_flags(&a, a.flags)?;
            let found = cx.driver.client(&a.srv.name, a.id)?;
            Ok(AdminServerLookupClientReply { clnt: client(&a.srv, &found) })
        })
        .on_view(|cx, a: AdminServerGetClientLimits| {
            from_wire::no_flags(&a, a.flags)?;
            let served = cx.driver.server(&a.srv.name)?;
            let clients = *served.server.client_count().borrow();
            let params = vec![uint("nclients_max", served.limits.max_clients), uint("nclients", clients)];
            Ok(AdminServerGetClientLimitsReply { params })
        })
        .on_view(|cx, a: AdminClientClose| {
            from_wire::no_flags(&a, a.flags)?;
            cx.driver.client(&a.clnt.srv.name, a.clnt.id)?.disconnect("closed by the administrator");
            Ok(())
        })
        // The names of user and group come from the host's user database, which can be far away.
        .on(|cx, a: AdminClientGetInfo| async move {
            from_wire::no_flags(&a, a.flags)?;
            let found = cx.driver.client(&a.clnt.srv.name, a.clnt.id)?;
            let mut identity = (*found.identity()).clone();
            let named = tokio::task::spawn_blocking(move || {
                identity.look_up_names();
                identity
            });
            let identity = named.await.map_err(|_| Error::internal("the user database could not be asked"))?;
            Ok(AdminClientGetInfoReply { params: info(found.is_read_only(), &identity) })
        })
}

fn client(srv: &AdminServer, it: &Client) -> AdminClient {
    let since = it.since().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let timestamp = i64::try_from(since).unwrap_or(i64::MAX);
    AdminClient { srv: srv.clone(), id: it.id(), timestamp, transport: TRANSPORT_UNIX }
}

/// What is known of a client, by the reference's names.
fn info(read_only: bool, identity: &Identity) -> Vec<TypedParam> {
    let number = |it: Option<u64>| it.map(|it| TypedValue::Int(i32::from_ne_bytes(low_half(it))));
    let text = |it: &Option<String>| it.clone().map(TypedValue::String);
    let pid = identity.pid.and_then(|it| u64::try_from(it).ok());
    let all = [
        ("readonly", Some(TypedValue::Boolean(read_only))),
        ("unix_user_id", number(identity.uid)),
        ("unix_user_name", text(&identity.user_name)),
        ("unix_group_id", number(identity.gid)),
        ("unix_group_name", text(&identity.group_name)),
        ("unix_process_id", number(pid)),
        ("sasl_user_name", text(&identity.sasl_user_name)),
        ("tls_x509_dname", text(&identity.x509_distinguished_name)),
        ("selinux_context", text(&identity.selinux_context)),
    ];
    let param =
        |(field, value): (&str, Option<TypedValue>)| value.map(|it| TypedParam { field: field.to_owned(), value: it });
    all.into_iter().filter_map(param).collect()
}

/// Ids are unsigned and 32 bits wide; the parameters are signed, so the greatest ids are negative there.
fn low_half(it: u64) -> [u8; 4] {
    u32::try_from(it).unwrap_or(u32::MAX).to_ne_bytes()
}

fn uint(field: &str, value: usize) -> TypedParam {
    TypedParam { field: field.to_owned(), value: TypedValue::Uint(u32::try_from(value).unwrap_or(u32::MAX)) }
}
