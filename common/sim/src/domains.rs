//! Domains and their life, as far as memory goes.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    ClientLease, DomainEvent, DomainEventKind, DomainRef, Error, ErrorCode, Result,
    event::Lifecycle,
    flags::{
        DefineFlags, DestroyFlags, ListFilter, MessageFlags, RebootFlags, ShutdownFlags, StartFlags, UndefineFlags,
        VcpuFlags, XmlFlags,
    },
    hypervisor::{DomainInfo, Domains, SecurityLabel, State},
};
use virtbus_schema::Domain;

use crate::{
    Sim, document,
    table::{Guest, Live, Table, refer},
};

impl Sim {
    fn tell(&self, domain: &DomainRef, events: &[Lifecycle]) {
        for event in events {
            self.raise(domain, DomainEventKind::Lifecycle(*event));
        }
    }

    /// Brings a guest up; the domain is in the table already.
    fn boot(&self, table: &mut Table, name: &str, document: Arc<Domain>, flags: StartFlags) -> Result<DomainRef> {
        let id = table.next_id();
        let (_, guest) = table.entry(name, document.uuid.unwrap_or_default());
        if guest.live.is_some() {
            return Err(Error::invalid_operation("domain is already running"));
        }
        let document = Arc::new(Domain { id: Some(id), ..Arc::unwrap_or_clone(document) });
        guest.updated = false;
        guest.live = Some(Live { id, document, began: Instant::now(), console: Weak::new() });
        let paused = flags.contains(StartFlags::PAUSED);
        guest.state = if paused { State::PausedUser } else { State::RunningBooted };
        let domain = refer(name, guest);
        if paused {
            self.tell(&domain, &[Lifecycle::StartedBooted, Lifecycle::SuspendedPaused]);
        } else {
            self.tell(&domain, &[Lifecycle::ResumedUnpaused, Lifecycle::StartedBooted]);
        }
        Ok(domain)
    }

    /// Takes a guest down.
    fn halt(&self, domain: &DomainRef, state: State, events: &[Lifecycle]) -> Result<()> {
        let mut table = self.table();
        let (domain, guest) = table.active_mut(domain)?;
        guest.live = None;
        guest.state = state;
        if guest.defined.is_none() {
            table.remove(&domain.name);
        }
        self.tell(&domain, events);
        Ok(())
    }

    /// Destroys the guest when the client that started it has gone.
    #[allow(clippy::disallowed_methods, reason = "the simulator is no daemon: nothing supervises its tasks")]
    fn end_with(&self, domain: &DomainRef, flags: StartFlags, lease: ClientLease) {
        if flags.contains(StartFlags::AUTODESTROY) {
            let (sim, domain) = (self.clone(), domain.clone());
            tokio::spawn(async move {
                lease.ended().await;
                // A guest that somebody else has stopped is what was wanted.
                let _ = sim.destroy(&domain, DestroyFlags::empty()).await;
            });
        }
    }

    fn with_definition(&self, domain: &DomainRef, change: impl FnOnce(&mut Guest)) -> Result<()> {
        let mut table = self.table();
        match table.guest_mut(domain)? {
            (domain, guest) if guest.defined.is_some() => {
                change(guest);
                self.raise(&domain, DomainEventKind::AutostartChange);
                Ok(())
            }
            _ => Err(Error::invalid_operation("cannot set autostart for transient domain")),
        }
    }

    fn read<T>(&self, domain: &DomainRef, read: impl FnOnce(&Guest) -> Result<T>) -> Result<T> {
        read(self.table().guest(domain)?)
    }
}

#[async_trait]
impl Domains for Sim {
    fn list(&self, filter: ListFilter) -> Vec<DomainRef> {
        self.table().list(filter)
    }

    fn lookup_by_id(&self, id: u32) -> Result<DomainRef> {
        self.table().lookup(&format!("id {id}"), |_, it| it.live.as_ref().is_some_and(|it| it.id == id))
    }

    fn lookup_by_uuid(&self, uuid: Uuid) -> Result<DomainRef> {
        self.table().lookup(&format!("uuid '{uuid}'"), |_, it| it.uuid == uuid)
    }

    fn lookup_by_name(&self, name: &str) -> Result<DomainRef> {
        self.table().lookup(&format!("name '{name}'"), |other, _| other == name)
    }

    fn state(&self, domain: &DomainRef) -> Result<State> {
        self.read(domain, |it| Ok(it.state))
    }

    fn info(&self, domain: &DomainRef) -> Result<DomainInfo> {
        self.read(domain, |it| {
            let document = it.document()?;
            let cpu_time = it.live.as_ref().map_or(0, |it| it.began.elapsed().as_nanos());
            Ok(DomainInfo {
                state: it.state,
                max_memory_kib: document::max_memory_kib(document),
                memory_kib: document::memory_kib(document),
                vcpus: document.vcpu.online(),
                cpu_time_ns: u64::try_from(cpu_time).unwrap_or(u64::MAX),
            })
        })
    }

    fn xml(&self, domain: &DomainRef, flags: XmlFlags) -> Result<Arc<Domain>> {
        self.read(domain, |it| match &it.defined {
            Some(defined) if flags.contains(XmlFlags::INACTIVE) => Ok(defined.clone()),
            _ => it.document().cloned(),
        })
    }

    fn is_persistent(&self, domain: &DomainRef) -> Result<bool> {
        self.read(domain, |it| Ok(it.defined.is_some()))
    }

    fn is_updated(&self, domain: &DomainRef) -> Result<bool> {
        self.read(domain, |it| Ok(it.live.is_some() && it.updated))
    }

    fn autostart(&self, domain: &DomainRef) -> Result<bool> {
        self.read(domain, |it| Ok(it.autostart))
    }

    fn autostart_once(&self, domain: &DomainRef) -> Result<bool> {
        self.read(domain, |it| Ok(it.autostart_once))
    }

    fn messages(&self, domain: &DomainRef, _kinds: MessageFlags) -> Result<Vec<String>> {
        self.read(domain, |_| Ok(Vec::new()))
    }

    fn security_labels(&self, domain: &DomainRef) -> Result<Vec<SecurityLabel>> {
        self.read(domain, |_| Ok(Vec::new()))
    }

    fn has_managed_save(&self, domain: &DomainRef) -> Result<bool> {
        self.read(domain, |_| Ok(false))
    }

    fn os_type(&self, domain: &DomainRef) -> Result<String> {
        self.read(domain, |it| Ok(it.document()?.os.kind.value.clone()))
    }

    fn max_memory(&self, domain: &DomainRef) -> Result<u64> {
        self.read(domain, |it| Ok(document::max_memory_kib(it.document()?)))
    }

    fn vcpus(&self, domain: &DomainRef, flags: VcpuFlags) -> Result<u32> {
        self.read(domain, |it| {
            let document = match (&it.live, &it.defined) {
                (None, _) if flags.contains(VcpuFlags::LIVE) => return Err(crate::table::not_running()),
                (_, Some(defined)) if flags.contains(VcpuFlags::CONFIG) => defined,
                _ => it.document()?,
            };
            let maximum = flags.contains(VcpuFlags::MAXIMUM);
            Ok(if maximum { document.vcpu.count } else { document.vcpu.online() })
        })
    }

    async fn define(&self, mut domain: Box<Domain>, _flags: DefineFlags) -> Result<DomainRef> {
        let mut table = self.table();
        let name = domain.name.clone();
        let uuid = document::settle_uuid(&mut domain);
        table.check_unique(&name, uuid)?;
        let (_, guest) = table.entry(&name, uuid);
        let event = if guest.defined.is_some() { Lifecycle::DefinedUpdated } else { Lifecycle::DefinedAdded };
        guest.defined = Some(Arc::from(domain));
        guest.updated = true;
        let defined = refer(&name, guest);
        self.tell(&defined, &[event]);
        Ok(defined)
    }

    async fn create(&self, mut domain: Box<Domain>, flags: StartFlags, lease: ClientLease) -> Result<DomainRef> {
        let started = {
            let mut table = self.table();
            let (name, uuid) = (domain.name.clone(), document::settle_uuid(&mut domain));
            table.check_unique(&name, uuid)?;
            self.boot(&mut table, &name, Arc::from(domain), flags)?
        };
        self.end_with(&started, flags, lease);
        Ok(started)
    }

    async fn start(&self, domain: &DomainRef, flags: StartFlags, lease: ClientLease) -> Result<DomainRef> {
        let started = {
            let mut table = self.table();
            let (domain, guest) = table.guest_mut(domain)?;
            let document = guest.document()?.clone();
            self.boot(&mut table, &domain.name, document, flags)?
        };
        self.end_with(&started, flags, lease);
        Ok(started)
    }

    async fn suspend(&self, domain: &DomainRef) -> Result<()> {
        let mut table = self.table();
        let (domain, guest) = table.active_mut(domain)?;
        if !guest.state.is_paused() {
            guest.state = State::PausedUser;
            self.tell(&domain, &[Lifecycle::SuspendedPaused]);
        }
        Ok(())
    }

    async fn resume(&self, domain: &DomainRef) -> Result<()> {
        let mut table = self.table();
        let (domain, guest) = table.active_mut(domain)?;
        if guest.state.is_running() {
            return Err(Error::invalid_operation("domain is already running"));
        }
        guest.state = State::RunningUnpaused;
        self.tell(&domain, &[Lifecycle::ResumedUnpaused]);
        Ok(())
    }

    async fn shutdown(&self, domain: &DomainRef, _flags: ShutdownFlags) -> Result<()> {
        self.halt(domain, State::ShutoffShutdown, &[Lifecycle::ShutdownGuest, Lifecycle::StoppedShutdown])
    }

    async fn reboot(&self, domain: &DomainRef, _flags: RebootFlags) -> Result<()> {
        self.reset(domain).await
    }

    async fn reset(&self, domain: &DomainRef) -> Result<()> {
        let (domain, _) = self.table().active_mut(domain).map(|(domain, _)| (domain, ()))?;
        self.raise(&domain, DomainEventKind::Reboot);
        Ok(())
    }

    async fn destroy(&self, domain: &DomainRef, _flags: DestroyFlags) -> Result<()> {
        self.halt(domain, State::ShutoffDestroyed, &[Lifecycle::ShutdownHost, Lifecycle::StoppedDestroyed])
    }

    async fn undefine(&self, domain: &DomainRef, _flags: UndefineFlags) -> Result<()> {
        let mut table = self.table();
        let (domain, guest) = table.guest_mut(domain)?;
        if guest.defined.take().is_none() {
            return Err(Error::invalid_operation("cannot undefine transient domain"));
        }
        if guest.live.is_none() {
            table.remove(&domain.name);
        }
        self.tell(&domain, &[Lifecycle::UndefinedRemoved]);
        Ok(())
    }

    async fn set_autostart(&self, domain: &DomainRef, autostart: bool) -> Result<()> {
        self.with_definition(domain, |it| it.autostart = autostart)
    }

    async fn set_autostart_once(&self, domain: &DomainRef, autostart: bool) -> Result<()> {
        self.with_definition(domain, |it| it.autostart_once = autostart)
    }

    async fn rename(&self, domain: &DomainRef, name: &str) -> Result<()> {
        let mut table = self.table();
        let (old, guest) = table.guest_mut(domain)?;
        let refusal = match &guest.live {
            Some(_) => Some("cannot rename active domain"),
            None if old.name == name => Some("Can't rename domain to itself"),
            None => None,
        };
        if let Some(text) = refusal {
            return Err(Error::invalid_operation(text));
        }
        if table.named(name).is_some() {
            return Err(Error::invalid_operation(format!("domain with name '{name}' already exists")));
        }
        if let Some(mut guest) = table.remove(&old.name) {
            guest.defined = guest.defined.map(|it| Arc::new(Domain { name: name.to_owned(), ..(*it).clone() }));
            table.put(name.to_owned(), guest);
        }
        self.tell(&old, &[Lifecycle::UndefinedRenamed]);
        self.tell(&DomainRef { name: name.to_owned(), ..old }, &[Lifecycle::DefinedRenamed]);
        Ok(())
    }

    async fn xml_to_native(&self, format: &str, domain: Box<Domain>) -> Result<String> {
        if format != "qemu-argv" {
            return Err(Error::invalid_arg(format!("unsupported config type {format}")));
        }
        Ok(format!("simulated-qemu -name {}\n", domain.name.clone()))
    }

    fn events(&self) -> broadcast::Receiver<Arc<DomainEvent>> {
        self.0.events.subscribe()
    }
}

impl Sim {
    /// Changes the documents of a domain: of what runs, and of what is defined.
    pub(crate) fn edit(
        &self,
        domain: &DomainRef,
        impact: virtbus_api::flags::Impact,
        edit: impl Fn(&mut Domain) -> Result<()>,
    ) -> Result<()> {
        use virtbus_api::flags::Impact;
        let mut table = self.table();
        let (_, guest) = table.guest_mut(domain)?;
        let current = impact.is_empty();
        let (live, config) = (
            impact.contains(Impact::LIVE) || current && guest.live.is_some(),
            impact.contains(Impact::CONFIG) || current && guest.live.is_none(),
        );
        if live {
            let running = guest.live.as_mut().ok_or_else(crate::table::not_running)?;
            edit(Arc::make_mut(&mut running.document))?;
        }
        if config {
            let transient =
                || Error::new(ErrorCode::OperationInvalid, "transient domains do not have any persistent config");
            edit(Arc::make_mut(guest.defined.as_mut().ok_or_else(transient)?))?;
            guest.updated = !live;
        }
        Ok(())
    }
}
