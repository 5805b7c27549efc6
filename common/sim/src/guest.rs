//! What goes in and out of guests that are not there: keys vanish, consoles echo, screens are black.

use std::{
    io::Cursor,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf, SimplexStream},
    sync::broadcast,
};
use virtbus_api::{
    DomainRef, Error, ErrorCode, MonitorEvent, Result,
    flags::{ChannelFlags, ConsoleFlags, Impact},
    hypervisor::{
        AddressSource, ByteStream, Consoles, ControlInfo, Guest, InterfaceAddresses, JobInfo, Jobs, KeyCodeSet,
        Metadata, MetadataKind, Monitor, Screenshot,
    },
};

use crate::{Sim, document, table::not_running};

/// Bytes that an echo holds before its writer waits.
const ECHO_ROOM: usize = 65_536;

/// A console that says what it is told.
struct Echo {
    stream: SimplexStream,
    /// That somebody has the console.
    _taken: Arc<()>,
}

impl AsyncRead for Echo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Echo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Sim {
    fn active(&self, domain: &DomainRef) -> Result<()> {
        self.table().active_mut(domain).map(drop)
    }

    fn echo(&self, domain: &DomainRef, force: bool) -> Result<ByteStream> {
        let mut table = self.table();
        let (_, guest) = table.active_mut(domain)?;
        let live = guest.live.as_mut().ok_or_else(not_running)?;
        if live.console.strong_count() > 0 && !force {
            return Err(Error::failed("Active console session exists for this domain"));
        }
        let taken = Arc::new(());
        live.console = Arc::downgrade(&taken);
        Ok(Box::new(Echo { stream: SimplexStream::new_unsplit(ECHO_ROOM), _taken: taken }))
    }
}

#[async_trait]
impl Consoles for Sim {
    async fn open_console(&self, domain: &DomainRef, device: Option<&str>, flags: ConsoleFlags) -> Result<ByteStream> {
        match device {
            None | Some("serial0" | "console0") => self.echo(domain, flags.contains(ConsoleFlags::FORCE)),
            Some(device) => Err(Error::internal(format!("cannot find character device {device}"))),
        }
    }

    async fn open_channel(&self, domain: &DomainRef, name: Option<&str>, flags: ChannelFlags) -> Result<ByteStream> {
        match name {
            None | Some("org.example.echo") => self.echo(domain, flags.contains(ChannelFlags::FORCE)),
            Some(name) => Err(Error::internal(format!("cannot find channel {name}"))),
        }
    }

    async fn screenshot(&self, domain: &DomainRef, screen: u32) -> Result<Screenshot> {
        self.active(domain)?;
        if screen > 0 {
            return Err(Error::invalid_arg("only one screen is there"));
        }
        let picture = [b"P6\n640 480\n255\n".as_slice(), &vec![0; 640 * 480 * 3]].concat();
        Ok(Screenshot { mime: "image/x-portable-pixmap".to_owned(), data: Box::new(Cursor::new(picture)) })
    }
}

#[async_trait]
impl Guest for Sim {
    async fn send_key(&self, domain: &DomainRef, _set: KeyCodeSet, _hold_ms: u32, _keys: &[u32]) -> Result<()> {
        self.active(domain)
    }

    async fn inject_nmi(&self, domain: &DomainRef) -> Result<()> {
        self.active(domain)
    }

    async fn pm_wakeup(&self, domain: &DomainRef) -> Result<()> {
        self.active(domain)?;
        Err(Error::invalid_operation("Unable to wake up domain: it does not sleep"))
    }

    async fn interface_addresses(&self, domain: &DomainRef, _: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        self.active(domain)?;
        Ok(vec![InterfaceAddresses {
            name: "vnet0".to_owned(),
            mac: Some("52:54:00:00:00:01".to_owned()),
            addresses: vec![(std::net::Ipv4Addr::new(192, 0, 2, 7).into(), 24)],
        }])
    }
}

#[async_trait]
impl Jobs for Sim {
    fn control_info(&self, domain: &DomainRef) -> Result<ControlInfo> {
        self.active(domain)?;
        Ok(ControlInfo { state: 0, details: 0, since_ms: 0 })
    }

    fn job_info(&self, domain: &DomainRef, _completed: bool) -> Result<JobInfo> {
        self.active(domain)?;
        Ok(JobInfo::default())
    }

    async fn abort_job(&self, domain: &DomainRef) -> Result<()> {
        self.active(domain)?;
        Err(Error::invalid_operation("no job is active on the domain"))
    }
}

#[async_trait]
impl Monitor for Sim {
    async fn monitor_command(&self, domain: &DomainRef, command: &str, hmp: bool) -> Result<String> {
        self.active(domain)?;
        if hmp {
            return Ok(format!("simulated: {command}\r\n"));
        }
        self.raise_monitor(domain, "SIMULATED", Some("{}".to_owned()));
        Ok(r#"{"return":{}}"#.to_owned())
    }

    fn monitor_events(&self) -> broadcast::Receiver<Arc<MonitorEvent>> {
        self.0.monitor_events.subscribe()
    }
}

#[async_trait]
impl Metadata for Sim {
    fn metadata(&self, domain: &DomainRef, kind: &MetadataKind, impact: Impact) -> Result<String> {
        let table = self.table();
        let guest = table.guest(domain)?;
        let document = match (&guest.live, &guest.defined) {
            (None, _) if impact.contains(Impact::LIVE) => return Err(not_running()),
            (_, Some(defined)) if impact.contains(Impact::CONFIG) => defined,
            _ => guest.document()?,
        };
        let absent = || Error::new(ErrorCode::NoDomainMetadata, "Requested metadata element is not present");
        document::metadata(document, kind).ok_or_else(absent)
    }

    async fn set_metadata(
        &self,
        domain: &DomainRef,
        kind: MetadataKind,
        value: Option<String>,
        key: Option<String>,
        impact: Impact,
    ) -> Result<()> {
        self.edit(domain, impact, |it| document::set_metadata(it, &kind, value.as_deref(), key.as_deref()))?;
        let (number, uri) = match kind {
            MetadataKind::Description => (0, None),
            MetadataKind::Title => (1, None),
            MetadataKind::Element { uri } => (2, Some(uri)),
        };
        self.raise(domain, virtbus_api::DomainEventKind::MetadataChange { kind: number, uri });
        Ok(())
    }
}
