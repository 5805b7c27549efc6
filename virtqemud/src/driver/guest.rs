//! Input to the guest, and its addresses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use virtbus_api::{
    DomainRef, Error, Result,
    hypervisor::{AddressSource, Guest, InterfaceAddresses, KeyCodeSet},
};
use virtbus_qmp::commands::{InjectNmi, Key, SendKey, SystemWakeup};

use super::{Qemu, addresses, keycodes::qemu_number};
use crate::domain::command::Question;

/// Keys that can be pressed together.
const MOST_KEYS: usize = 16;

#[async_trait]
impl Guest for Qemu {
    async fn send_key(&self, domain: &DomainRef, set: KeyCodeSet, hold_ms: u32, keys: &[u32]) -> Result<()> {
        if keys.is_empty() || keys.len() > MOST_KEYS {
            return Err(Error::invalid_arg(format!(
                "1 to {MOST_KEYS} keys can be pressed together, not {}",
                keys.len()
            )));
        }
        let number = |key: &u32| {
            let number = qemu_number(set, *key);
            number.map(Key::Number).ok_or_else(|| {
                Error::internal(format!("cannot translate keycode {key} of {} codeset to qnum keycode", name(set)))
            })
        };
        let keys = keys.iter().map(number).collect::<Result<Vec<Key>>>()?;
        let command = SendKey { keys, hold_time: (hold_ms > 0).then_some(hold_ms) };
        self.question(domain, Question::of("keys are being sent", &command)?).await.map(drop)
    }

    async fn inject_nmi(&self, domain: &DomainRef) -> Result<()> {
        self.question(domain, Question::of("an interrupt is being sent", &InjectNmi)?).await.map(drop)
    }

    async fn pm_wakeup(&self, domain: &DomainRef) -> Result<()> {
        let question =
            Question { deadline: Some(Duration::from_secs(10)), ..Question::of("it is being woken", &SystemWakeup)? };
        self.question(domain, question).await.map(drop)
    }

    async fn interface_addresses(&self, domain: &DomainRef, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        let view = self.view(domain)?;
        let live = view.live.as_ref().ok_or_else(|| Error::invalid_operation("domain is not running"))?;
        let document = Arc::clone(&live.document);
        match source {
            AddressSource::Lease => addresses::leased(&self.shared, &document).await,
            AddressSource::Arp => addresses::heard_of(&document),
            AddressSource::Agent => Err(Error::no_support("virDomainInterfaceAddresses with the guest agent")),
        }
    }
}

/// libvirt's name of a set of key codes.
fn name(set: KeyCodeSet) -> String {
    format!("{set:?}").to_lowercase()
}
