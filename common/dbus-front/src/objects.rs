//! Which objects there are: one per domain, following the engine.

use std::sync::Arc;

use virtbus_api::{DomainRef, flags::ListFilter};
use zbus::{Connection, OwnedObjectPath};

use crate::{domain::Domain, front::Cx, paths};

/// Makes sure that every domain of the engine has its object.
pub async fn add_all(connection: &Connection, cx: &Arc<Cx>) -> zbus::Result<()> {
    for domain in cx.driver.list(ListFilter::empty()) {
        add(connection, cx, &domain).await?;
    }
    Ok(())
}

/// Makes sure that the domain has its object, and gives its path.
pub async fn add(connection: &Connection, cx: &Arc<Cx>, domain: &DomainRef) -> zbus::Result<OwnedObjectPath> {
    let path = paths::domain(domain.uuid);
    connection.object_server().at(&path, Domain { cx: cx.clone(), uuid: domain.uuid }).await?;
    Ok(path)
}

/// Removes the object of a domain that is gone.
pub async fn remove_gone(connection: &Connection, cx: &Arc<Cx>, domain: &DomainRef) -> zbus::Result<()> {
    if cx.driver.lookup_by_uuid(domain.uuid).is_err() {
        connection.object_server().remove::<Domain, _>(paths::domain(domain.uuid)).await?;
    }
    Ok(())
}
