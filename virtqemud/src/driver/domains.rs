//! Finding, defining, starting and stopping domains.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    ClientLease, DomainEvent, DomainRef, Error, Result,
    flags::{
        DefineFlags, DestroyFlags, ListFilter, MessageFlags, RebootFlags, ShutdownFlags, StartFlags, UndefineFlags,
        VcpuFlags, XmlFlags,
    },
    hypervisor::{DomainInfo, Domains, SecurityLabel, State},
};
use virtbus_schema::domain::Domain;

use super::Qemu;
use crate::domain::{Handle, command::Command, view::View};
use crate::machine;

impl Qemu {
    /// Has the owner of the domain that `document` names do `command`; makes one up if there is none.
    async fn claim(&self, document: Box<Domain>, command: impl FnOnce(Box<Domain>) -> Command) -> Result<DomainRef> {
        let name = document.name.clone();
        check_file_name(&name)?;
        let uuid = document.uuid.ok_or_else(|| Error::internal("a document without a UUID was let through"))?;
        let make = || Handle::new(View::off(&name, uuid, None, false));
        let (handle, _) = self.shared.registry.claim(&name, uuid, make)?;
        handle.tell(&self.shared, command(document)).await?;
        Ok(handle.view().domain_ref())
    }

    /// A document with all that follows from the host and from QEMU filled in.
    async fn complete(&self, mut document: Box<Domain>) -> Result<Box<Domain>> {
        check_name(&document.name)?;
        document.uuid.get_or_insert_with(Uuid::new_v4);
        let binary = machine::emulator(&document, std::path::Path::exists)?;
        let caps = self.shared.capabilities.find(&binary).await?;
        machine::complete(&mut document, &caps, &self.shared.config.layout.nvram)?;
        Ok(document)
    }
}

/// `ENAMETOOLONG`.
const NAME_TOO_LONG: i32 = 36;

/// Names become file names. The reference's texts, which tools show.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(virtbus_api::ErrorCode::NoName, "missing name information"));
    }
    if name.contains('/') {
        return Err(Error::xml(format!("name {name} cannot contain '/'")));
    }
    if name == "." || name == ".." || name.starts_with('.') {
        return Err(Error::xml(format!("name {name} cannot start with '.': it is a file name")));
    }
    Ok(())
}

/// A name that is fit for a guest that is only shown may still be none for a file.
fn check_file_name(name: &str) -> Result<()> {
    if name.contains('\n') {
        return Err(Error::new(virtbus_api::ErrorCode::XmlDetail, "a name cannot contain a line break"));
    }
    // Its definition is written to `NAME.xml.new` first, and a file name has at most 255 bytes.
    if name.len() + ".xml.new".len() > 255 {
        let cause = std::io::Error::from_raw_os_error(NAME_TOO_LONG);
        return Err(Error::system(format!("cannot name a file after domain '{name}'"), &cause));
    }
    Ok(())
}

fn passes(view: &View, managed_save: bool, filter: ListFilter) -> bool {
    let active = view.state.is_active();
    let persistent = view.definition.is_some();
    let groups: [&[(ListFilter, bool)]; 7] = [
        &[(ListFilter::ACTIVE, active), (ListFilter::INACTIVE, !active)],
        &[(ListFilter::PERSISTENT, persistent), (ListFilter::TRANSIENT, !persistent)],
        &[
            (ListFilter::RUNNING, view.state.is_running()),
            (ListFilter::PAUSED, view.state.is_paused()),
            (ListFilter::SHUTOFF, !active),
            (ListFilter::OTHER, active && !view.state.is_running() && !view.state.is_paused()),
        ],
        &[(ListFilter::MANAGEDSAVE, managed_save), (ListFilter::NO_MANAGEDSAVE, !managed_save)],
        &[(ListFilter::AUTOSTART, view.autostart), (ListFilter::NO_AUTOSTART, !view.autostart)],
        &[(ListFilter::HAS_SNAPSHOT, false), (ListFilter::NO_SNAPSHOT, true)],
        &[(ListFilter::HAS_CHECKPOINT, false), (ListFilter::NO_CHECKPOINT, true)],
    ];
    groups.iter().all(|group| {
        let mut asked = group.iter().filter(|(bit, _)| filter.contains(*bit)).peekable();
        asked.peek().is_none() || asked.any(|(_, holds)| *holds)
    })
}

fn wanted(view: &View, flags: XmlFlags) -> Result<Arc<Domain>> {
    if !flags.contains(XmlFlags::INACTIVE) {
        return view.document();
    }
    if view.definition.is_some() {
        return view.defined();
    }
    let document = view.document()?;
    Ok(crate::process::launch::as_defined(&document).map_or(document, Arc::new))
}

#[async_trait]
impl Domains for Qemu {
    fn list(&self, filter: ListFilter) -> Vec<DomainRef> {
        let asks_save = filter.intersects(ListFilter::MANAGEDSAVE | ListFilter::NO_MANAGEDSAVE);
        let all = self.shared.registry.all();
        let views = all.iter().map(Handle::view);
        let passing = views.filter(|view| {
            let saved = asks_save && self.save_file(view).exists();
            passes(view, saved, filter)
        });
        passing.map(|view| view.domain_ref()).collect()
    }

    fn lookup_by_id(&self, id: u32) -> Result<DomainRef> {
        Ok(self.shared.registry.by_id(id)?.view().domain_ref())
    }

    fn lookup_by_uuid(&self, uuid: Uuid) -> Result<DomainRef> {
        Ok(self.shared.registry.by_uuid(uuid)?.view().domain_ref())
    }

    fn lookup_by_name(&self, name: &str) -> Result<DomainRef> {
        Ok(self.shared.registry.by_name(name)?.view().domain_ref())
    }

    fn state(&self, domain: &DomainRef) -> Result<State> {
        Ok(self.view(domain)?.state)
    }

    fn info(&self, domain: &DomainRef) -> Result<DomainInfo> {
        let view = self.view(domain)?;
        let document = view.document()?;
        let max_memory_kib = document.memory.size.kib;
        let current = document.current_memory.map_or(max_memory_kib, |it| it.kib);
        let balloon = view.live.as_ref().and_then(|it| it.balloon_kib);
        Ok(DomainInfo {
            state: view.state,
            max_memory_kib,
            memory_kib: balloon.unwrap_or(current),
            vcpus: document.vcpu.current.unwrap_or(document.vcpu.count),
            cpu_time_ns: view.cpu_time_ns(),
        })
    }

    fn xml(&self, domain: &DomainRef, flags: XmlFlags) -> Result<Arc<Domain>> {
        let view = self.view(domain)?;
        wanted(&view, flags)
    }

    fn is_persistent(&self, domain: &DomainRef) -> Result<bool> {
        Ok(self.view(domain)?.definition.is_some())
    }

    fn is_updated(&self, domain: &DomainRef) -> Result<bool> {
        Ok(self.view(domain)?.live.as_ref().is_some_and(|it| it.updated))
    }

    fn autostart(&self, domain: &DomainRef) -> Result<bool> {
        Ok(self.view(domain)?.autostart)
    }

    fn autostart_once(&self, domain: &DomainRef) -> Result<bool> {
        Ok(self.view(domain)?.autostart_once)
    }

    fn messages(&self, domain: &DomainRef, kinds: MessageFlags) -> Result<Vec<String>> {
        let view = self.view(domain)?;
        let mut messages = Vec::new();
        if let Some(live) = &view.live {
            if kinds.is_empty() || kinds.contains(MessageFlags::TAINTING) {
                messages.extend(live.taints.iter().map(|it| it.message()));
            }
            if kinds.is_empty() {
                messages.extend(live.notes.iter().cloned());
            }
        }
        Ok(messages)
    }

    fn security_labels(&self, domain: &DomainRef) -> Result<Vec<SecurityLabel>> {
        let view = self.view(domain)?;
        let Some(live) = &view.live else { return Ok(Vec::new()) };
        let labels = live.document.seclabels.iter().filter_map(|it| it.label.clone());
        // One for each model of the capabilities, of which the first is "none".
        let none = SecurityLabel::default();
        Ok(std::iter::once(none).chain(labels.map(|label| SecurityLabel { label, enforcing: true })).collect())
    }

    fn has_managed_save(&self, domain: &DomainRef) -> Result<bool> {
        Ok(self.save_file(&*self.view(domain)?).exists())
    }

    fn os_type(&self, domain: &DomainRef) -> Result<String> {
        Ok(self.view(domain)?.document()?.os.kind.value.clone())
    }

    fn max_memory(&self, domain: &DomainRef) -> Result<u64> {
        Ok(self.view(domain)?.document()?.memory.size.kib)
    }

    fn vcpus(&self, domain: &DomainRef, flags: VcpuFlags) -> Result<u32> {
        let view = self.view(domain)?;
        if flags.contains(VcpuFlags::LIVE | VcpuFlags::CONFIG) {
            return Err(Error::invalid_arg(
                "flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' exclude each other",
            ));
        }
        if flags.contains(VcpuFlags::LIVE) && view.live.is_none() {
            return Err(Error::invalid_operation("domain is not running"));
        }
        if flags.contains(VcpuFlags::GUEST) {
            if !view.state.is_running() {
                return Err(Error::invalid_operation("domain is not running"));
            }
            return Err(crate::domain::no_agent(view.live.as_ref().map(|it| &*it.document)));
        }
        let document = if flags.contains(VcpuFlags::CONFIG) { view.defined()? } else { view.document()? };
        let vcpu = &document.vcpu;
        Ok(if flags.contains(VcpuFlags::MAXIMUM) { vcpu.count } else { vcpu.current.unwrap_or(vcpu.count) })
    }

    async fn define(&self, domain: Box<Domain>, _flags: DefineFlags) -> Result<DomainRef> {
        let document = self.complete(domain).await?;
        self.claim(document, Command::Define).await
    }

    async fn create(&self, domain: Box<Domain>, flags: StartFlags, lease: ClientLease) -> Result<DomainRef> {
        let document = self.complete(domain).await?;
        self.claim(document, |document| Command::Create(document, flags, lease)).await
    }

    async fn start(&self, domain: &DomainRef, flags: StartFlags, lease: ClientLease) -> Result<DomainRef> {
        let handle = self.find(domain)?;
        handle.tell(&self.shared, Command::Start(flags, lease)).await?;
        Ok(handle.view().domain_ref())
    }

    async fn suspend(&self, domain: &DomainRef) -> Result<()> {
        self.tell(domain, Command::Suspend).await
    }

    async fn resume(&self, domain: &DomainRef) -> Result<()> {
        self.tell(domain, Command::Resume).await
    }

    async fn shutdown(&self, domain: &DomainRef, flags: ShutdownFlags) -> Result<()> {
        self.tell(domain, Command::Shutdown(flags)).await
    }

    async fn reboot(&self, domain: &DomainRef, flags: RebootFlags) -> Result<()> {
        self.tell(domain, Command::Reboot(flags)).await
    }

    async fn reset(&self, domain: &DomainRef) -> Result<()> {
        self.tell(domain, Command::Reset).await
    }

    async fn destroy(&self, domain: &DomainRef, flags: DestroyFlags) -> Result<()> {
        self.tell(domain, Command::Destroy(flags)).await
    }

    async fn undefine(&self, domain: &DomainRef, flags: UndefineFlags) -> Result<()> {
        self.tell(domain, Command::Undefine(flags)).await
    }

    async fn set_autostart(&self, domain: &DomainRef, autostart: bool) -> Result<()> {
        self.tell(domain, Command::SetAutostart(autostart)).await
    }

    async fn set_autostart_once(&self, domain: &DomainRef, autostart: bool) -> Result<()> {
        self.tell(domain, Command::SetAutostartOnce(autostart)).await
    }

    async fn rename(&self, domain: &DomainRef, name: &str) -> Result<()> {
        check_name(name)?;
        check_file_name(name)?;
        let handle = self.find(domain)?;
        if *handle.view().name == *name {
            return Err(Error::invalid_operation("Can't rename domain to itself"));
        }
        self.shared.registry.claim_name(&handle, name)?;
        let renamed = handle.tell(&self.shared, Command::Rename(name.to_owned())).await;
        if renamed.is_err() {
            self.shared.registry.drop_name(name);
        }
        renamed
    }

    async fn xml_to_native(&self, format: &str, domain: Box<Domain>) -> Result<String> {
        if format != "qemu-argv" {
            return Err(Error::invalid_arg(format!("unsupported config type {format}")));
        }
        let document = self.complete(domain).await?;
        crate::process::launch::native(&self.shared, &document).await
    }

    fn events(&self) -> broadcast::Receiver<Arc<DomainEvent>> {
        self.shared.events.subscribe()
    }
}

impl Qemu {
    fn save_file(&self, view: &View) -> std::path::PathBuf {
        self.shared.config.layout.save.join(format!("{}.save", view.name))
    }
}
