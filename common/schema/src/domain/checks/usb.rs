//! USB switched off, and companions without the controller they accompany. It refuses to know ports and places.

use virtbus_xml::{Error, ErrorKind, Node};

use crate::domain::device::controller::{Controller, ControllerKind};
use crate::domain::device::input::InputBus;
use crate::domain::device::{Address, Devices};

impl Devices {
    /// A controller of model `none` is the only one, companions have somebody to accompany, and what is on USB is nowhere
    /// else.
    pub(in crate::domain) fn check_usb(&self, node: Node<'_>) -> Result<(), Error> {
        let all = || self.controllers.iter().filter(|it| it.kind == ControllerKind::Usb);
        if all().count() > 1 && all().any(|it| it.model.as_deref() == Some("none")) {
            return Err(node.error(ErrorKind::Conflict, "USB is disabled for this domain, but has another controller"));
        }
        if all().count() > 0 && all().all(Controller::is_companion) {
            let text = "the USB controllers are companions, and there is none that they accompany";
            return Err(node.error(ErrorKind::Conflict, text));
        }
        let redirected = self.redirdevs.iter().map(|it| &it.info.address);
        let inputs = self.inputs.iter().filter(|it| it.bus == Some(InputBus::Usb)).map(|it| &it.info.address);
        if redirected.chain(inputs).flatten().any(|it| !matches!(it, Address::Usb(_))) {
            return Err(node.error(ErrorKind::BadValue, "a device on USB has an address elsewhere"));
        }
        Ok(())
    }
}
