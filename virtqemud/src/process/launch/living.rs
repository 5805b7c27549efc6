//! What a document gets when its guest comes to life: names of parts, paths, ports, the label. It is the live document then.

use virtbus_api::Result;
use virtbus_schema::domain::{
    Domain,
    device::{
        chardev::{ChannelState, ChannelTarget, CharSource, CharSourceMode, Chardev},
        graphics::{Graphics, ListenKind},
    },
    security::{SecLabel, SecLabelKind},
};
use virtbus_schema::xml::YesNo;

use super::{Claims, prepare::Places};
use crate::device::channel;
use crate::driver::Shared;
use crate::process::helper::bus;
use crate::process::{argv, ports::Kind};

/// Fills them in. What is taken on the host is noted in `claims`.
///
/// # Errors
/// When there is no port left.
pub(super) fn bring_to_life(
    document: &mut Domain,
    shared: &Shared,
    places: &Places,
    claims: &mut Claims,
) -> Result<()> {
    argv::name_parts(document);
    for channel in &mut document.devices.channels {
        let file = channel::socket_name(channel);
        if let ChannelTarget::Virtio { name: _, state } = &mut channel.target {
            *state = Some(ChannelState::Disconnected);
            if let Chardev::Unix { source, .. } = &mut channel.chardev
                && source.as_ref().is_none_or(|it| it.path.is_none())
            {
                let path = places.channels.join(file).to_string_lossy().into_owned();
                let source = source.get_or_insert_with(CharSource::default);
                (source.mode, source.path) = (Some(CharSourceMode::Bind), Some(path));
            }
        }
    }
    for graphics in &mut document.devices.graphics {
        give_ports(graphics, shared, claims)?;
    }
    let user = shared.config.settings.user.as_ref();
    if let Some(user) = user.filter(|_| document.seclabels.is_empty()) {
        let label = format!("+{}:+{}", user.uid, user.gid);
        document.seclabels.push(SecLabel {
            kind: Some(SecLabelKind::Dynamic),
            model: Some("dac".to_owned()),
            relabel: Some(if shared.config.settings.relabel { YesNo::Yes } else { YesNo::No }),
            label: Some(label.clone()),
            imagelabel: Some(label),
            baselabel: None,
        });
    }
    Ok(())
}

fn give_ports(graphics: &mut Graphics, shared: &Shared, claims: &mut Claims) -> Result<()> {
    let mut port_for = |port: &mut Option<i32>, kind: Kind| -> Result<()> {
        match *port {
            Some(-1) => {
                let number = shared.ports.claim(kind)?;
                claims.add_port(number);
                *port = Some(number.into());
            }
            Some(number) => {
                if let Ok(number) = u16::try_from(number) {
                    shared.ports.note(number);
                    claims.add_port(number);
                }
            }
            None => {}
        }
        Ok(())
    };
    let settings = &shared.config.settings;
    match graphics {
        Graphics::Vnc(vnc) => {
            port_for(&mut vnc.port, Kind::Display)?;
            if vnc.websocket.is_some_and(|it| it < 0) {
                vnc.websocket_generated = Some(YesNo::Yes);
            } else {
                vnc.websocket_generated = Some(YesNo::No);
            }
            port_for(&mut vnc.websocket, Kind::WebSocket)?;
            for listen in vnc.listens.iter_mut().filter(|it| it.kind == ListenKind::Address) {
                if listen.address.is_none() {
                    listen.address = Some(settings.vnc_listen.clone());
                    listen.from_config = Some(1);
                    listen.auto_generated = Some(YesNo::No);
                }
            }
            vnc.listen = vnc.listens.first().and_then(|it| it.address.clone());
            if vnc.passwd.is_none() {
                vnc.passwd.clone_from(&settings.vnc_password);
            }
        }
        Graphics::Spice(spice) => {
            port_for(&mut spice.port, Kind::Display)?;
            port_for(&mut spice.tls_port, Kind::Display)?;
            for listen in spice.listens.iter_mut().filter(|it| it.kind == ListenKind::Address) {
                if listen.address.is_none() {
                    listen.address = Some(settings.spice_listen.clone());
                    listen.from_config = Some(1);
                    listen.auto_generated = Some(YesNo::No);
                }
            }
            spice.listen = spice.listens.first().and_then(|it| it.address.clone());
        }
        Graphics::Dbus(display) if display.p2p != Some(YesNo::Yes) => {
            let path = bus::socket(&shared.config.layout, &claims.short_name);
            display.address.get_or_insert_with(|| format!("unix:path={}", path.display()));
        }
        Graphics::Sdl { .. }
        | Graphics::Rdp(_)
        | Graphics::Desktop { .. }
        | Graphics::EglHeadless { .. }
        | Graphics::Dbus(_) => {}
    }
    Ok(())
}

/// The ports that the displays of a running guest have.
pub(super) fn ports(document: &Domain) -> Vec<u16> {
    let numbers = document.devices.graphics.iter().flat_map(|it| match it {
        Graphics::Vnc(vnc) => [vnc.port, vnc.websocket],
        Graphics::Spice(spice) => [spice.port, spice.tls_port],
        _ => [None, None],
    });
    numbers.flatten().filter_map(|it| u16::try_from(it).ok()).collect()
}
