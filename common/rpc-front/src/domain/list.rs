//! Finding domains: lists in every form, lookups.

use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, flags::ListFilter};
use virtbus_proto::table::{
    ConnectListAllDomains, ConnectListAllDomainsReply, ConnectListDefinedDomains, ConnectListDefinedDomainsReply,
    ConnectListDomains, ConnectListDomainsReply, ConnectNumOfDefinedDomains, ConnectNumOfDefinedDomainsReply,
    ConnectNumOfDomains, ConnectNumOfDomainsReply, DomainLookupById, DomainLookupByIdReply, DomainLookupByName,
    DomainLookupByNameReply, DomainLookupByUuid, DomainLookupByUuidReply,
};

use crate::{
    Hypervisor,
    error::{Fault, Result},
    from_wire,
    routes::Routes,
    to_wire,
};

/// Domains in one answer (`REMOTE_DOMAIN_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: ConnectListAllDomains| {
            let domains = cx.driver.list(from_wire::flags(&a, a.flags)?);
            let ret = to_wire::count(domains.len());
            if a.need_results == 0 {
                return Ok(ConnectListAllDomainsReply { domains: Vec::new(), ret });
            }
            too_many(domains.len())?;
            Ok(ConnectListAllDomainsReply { domains: domains.iter().map(to_wire::domain).collect(), ret })
        })
        // The old forms: first the number, then as many as there is room for.
        .on_view(|cx, ConnectNumOfDomains {}| {
            Ok(ConnectNumOfDomainsReply { num: to_wire::count(cx.driver.list(ListFilter::ACTIVE).len()) })
        })
        .on_view(|cx, ConnectNumOfDefinedDomains {}| {
            Ok(ConnectNumOfDefinedDomainsReply { num: to_wire::count(cx.driver.list(ListFilter::INACTIVE).len()) })
        })
        .on_view(|cx, a: ConnectListDomains| {
            let room = from_wire::room(a.maxids, "maxids", LIST_MAX, "REMOTE_DOMAIN_LIST_MAX")?;
            let ids = cx.driver.list(ListFilter::ACTIVE).into_iter().filter_map(|it| it.id).map(to_wire::signed);
            Ok(ConnectListDomainsReply { ids: ids.take(room).collect() })
        })
        .on_view(|cx, a: ConnectListDefinedDomains| {
            let room = from_wire::room(a.maxnames, "maxnames", LIST_MAX, "REMOTE_DOMAIN_LIST_MAX")?;
            let names = cx.driver.list(ListFilter::INACTIVE).into_iter().map(|it| it.name);
            Ok(ConnectListDefinedDomainsReply { names: names.take(room).collect() })
        })
        .on_view(|cx, a: DomainLookupById| {
            let id = u32::try_from(a.id);
            let unknown = |_| Error::new(ErrorCode::NoDomain, format!("no domain with matching id {}", a.id));
            Ok(DomainLookupByIdReply { dom: to_wire::domain(&cx.driver.lookup_by_id(id.map_err(unknown)?)?) })
        })
        .on_view(|cx, a: DomainLookupByUuid| {
            Ok(DomainLookupByUuidReply { dom: to_wire::domain(&cx.driver.lookup_by_uuid(Uuid::from_bytes(a.uuid))?) })
        })
        .on_view(|cx, a: DomainLookupByName| {
            Ok(DomainLookupByNameReply { dom: to_wire::domain(&cx.driver.lookup_by_name(&a.name)?) })
        })
}

/// The protocol has no way to send more; saying so is better than a list that seems complete.
fn too_many(found: usize) -> Result<()> {
    if found > LIST_MAX {
        return Err(Fault::protocol(format!("Too many domains '{found}' for limit '{LIST_MAX}'")));
    }
    Ok(())
}
