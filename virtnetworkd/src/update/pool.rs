//! Changes of the interfaces to forward to, and of port groups.

use virtbus_api::{error::Result, network::UpdateCommand};
use virtbus_schema::{
    Network,
    network::{Forward, ForwardInterface, ForwardMode, Portgroup},
    xml::YesNo,
};

use super::{Entry, invalid};

pub(super) fn interface(network: &mut Network, command: UpdateCommand, interface: ForwardInterface) -> Result<()> {
    let name = network.name.clone();
    let isolated = || Forward { mode: ForwardMode::None, ..Forward::default() };
    let forward = network.forward.get_or_insert_with(isolated);
    let dev = interface.dev.clone();
    let in_use = forward.interfaces.iter().find(|it| it.dev == dev).and_then(|it| it.connections).unwrap_or(0);
    if command == UpdateCommand::Delete && in_use > 0 {
        return Err(invalid(format!("{in_use} guests use interface {dev} of network {name}")));
    }
    let entry = Entry { what: "interface", network: &name, shown: dev.clone(), can_modify: false };
    let is_same = |it: &ForwardInterface| it.dev == dev;
    entry.change(&mut forward.interfaces, command, interface, is_same, is_same)?;
    forward.name_device();
    Ok(())
}

pub(super) fn portgroup(network: &mut Network, command: UpdateCommand, group: Portgroup) -> Result<()> {
    let name = group.name.clone();
    let is_default = |it: &Portgroup| it.is_default == Some(YesNo::Yes);
    if command != UpdateCommand::Delete
        && is_default(&group)
        && let Some(other) = network.portgroups.iter().find(|it| is_default(it) && it.name != name)
    {
        let message = format!("portgroup {} of network {} is the default already", other.name, network.name);
        return Err(invalid(message));
    }
    let entry = Entry { what: "portgroup", network: &network.name, shown: name.clone(), can_modify: true };
    let is_same = |it: &Portgroup| it.name == name;
    entry.change(&mut network.portgroups, command, group, is_same, is_same)
}
