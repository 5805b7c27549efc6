//! Streams into a guest: its consoles, its channels, a picture of its screen.
//!
//! A console has one reader: two would each get half of what the guest says. Who comes second is refused, or with
//! `FORCE` takes over, and the first one's stream ends.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use virtbus_api::{
    DomainRef, Error, Result,
    flags::{ChannelFlags, ConsoleFlags},
    hypervisor::{ByteStream, Consoles, Screenshot, console::Duplex},
};
use virtbus_host::terminal::Terminal;
use virtbus_qmp::commands::Screendump;
use virtbus_schema::domain::{
    Domain,
    device::{
        Alias,
        chardev::{ChannelTarget, Chardev},
    },
};

use super::{Qemu, Shared};
use crate::domain::command::Question;

/// Who has a console now.
#[derive(Debug)]
pub(super) struct Holder {
    /// Cancelled to have the stream end.
    end: CancellationToken,
    /// Which stream it is; a later one has another number.
    number: u64,
}

fn holders(shared: &Shared) -> MutexGuard<'_, std::collections::HashMap<PathBuf, Holder>> {
    shared.consoles.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the console at `path` for a new stream.
fn take(shared: &Arc<Shared>, path: &Path, force: bool) -> Result<Held> {
    let mut holders = holders(shared);
    let mut number = 0;
    if let Some(holder) = holders.get(path) {
        if !force {
            return Err(Error::failed("Active console session exists for this domain"));
        }
        holder.end.cancel();
        number = holder.number.wrapping_add(1);
    }
    let end = CancellationToken::new();
    let ended = Box::pin(end.clone().cancelled_owned());
    holders.insert(path.to_owned(), Holder { end, number });
    Ok(Held { shared: Arc::clone(shared), path: path.to_owned(), number, ended })
}

/// A console that is ours until this is dropped or somebody takes it by force.
struct Held {
    shared: Arc<Shared>,
    path: PathBuf,
    number: u64,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut holders = holders(&self.shared);
        if holders.get(&self.path).is_some_and(|it| it.number == self.number) {
            holders.remove(&self.path);
        }
    }
}

/// A stream that ends when its console is taken.
struct HeldStream<S> {
    stream: S,
    held: Held,
}

impl<S: AsyncRead + Unpin> AsyncRead for HeldStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.held.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeldStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn is_named(alias: Option<&Alias>, name: Option<&str>) -> bool {
    name.is_none_or(|name| alias.is_some_and(|it| it.name == name))
}

/// The back end of the port that is meant: a console, else a serial or parallel port.
fn console<'a>(document: &'a Domain, name: Option<&str>) -> Option<(&'a Chardev, String)> {
    let devices = &document.devices;
    let consoles = devices.consoles.iter().map(|it| (&it.chardev, it.info.alias.as_ref()));
    let serials = devices.serials.iter().map(|it| (&it.chardev, it.info.alias.as_ref()));
    let parallels = devices.parallels.iter().map(|it| (&it.chardev, it.info.alias.as_ref()));
    let found = consoles.chain(serials).chain(parallels).find(|(_, alias)| is_named(*alias, name))?;
    Some((found.0, found.1.map(|it| it.name.clone()).unwrap_or_default()))
}

fn channel<'a>(document: &'a Domain, name: Option<&str>) -> Option<&'a Chardev> {
    let target = |it: &ChannelTarget| match it {
        ChannelTarget::Virtio { name, .. } | ChannelTarget::Xen { name, .. } => name.clone(),
        ChannelTarget::Guestfwd { .. } => None,
    };
    let mut channels = document.devices.channels.iter();
    let found = channels.find(|it| {
        is_named(it.info.alias.as_ref(), name) || name.is_some_and(|name| target(&it.target).as_deref() == Some(name))
    })?;
    Some(&found.chardev)
}

/// Where the back end's other side is: a terminal or a Unix socket.
enum Way<'a> {
    Terminal(&'a Path),
    Socket(&'a Path),
}

fn way(chardev: &Chardev) -> Option<Way<'_>> {
    match chardev {
        Chardev::Pty { source: Some(source), .. } => source.path.as_deref().map(|it| Way::Terminal(Path::new(it))),
        Chardev::Dev(it) => it.source.as_ref()?.path.as_deref().map(|it| Way::Terminal(Path::new(it))),
        Chardev::Unix { source: Some(source), .. } => source.path.as_deref().map(|it| Way::Socket(Path::new(it))),
        _ => None,
    }
}

impl Qemu {
    fn live(&self, domain: &DomainRef) -> Result<Arc<Domain>> {
        let view = self.view(domain)?;
        let live = view.live.as_ref().map(|it| Arc::clone(&it.document));
        live.ok_or_else(|| Error::invalid_operation("domain is not running"))
    }

    async fn open_way(&self, way: Way<'_>, force: bool) -> Result<ByteStream> {
        let (Way::Terminal(path) | Way::Socket(path)) = way;
        let held = take(&self.shared, path, force)?;
        let cannot = |error: io::Error| Error::system(format!("cannot open '{}'", path.display()), &error);
        Ok(match way {
            Way::Terminal(path) => boxed(HeldStream { stream: Terminal::open(path).map_err(cannot)?, held }),
            Way::Socket(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(cannot)?;
                boxed(HeldStream { stream, held })
            }
        })
    }
}

fn boxed(stream: impl Duplex + 'static) -> ByteStream {
    Box::new(stream)
}

#[async_trait]
impl Consoles for Qemu {
    async fn open_console(&self, domain: &DomainRef, device: Option<&str>, flags: ConsoleFlags) -> Result<ByteStream> {
        let document = self.live(domain)?;
        let (chardev, alias) = console(&document, device).ok_or_else(|| {
            Error::internal(format!("cannot find character device {}", device.unwrap_or("<default>")))
        })?;
        let way = way(chardev)
            .ok_or_else(|| Error::internal(format!("character device {alias} is not using a PTY or UNIX socket")))?;
        self.open_way(way, flags.contains(ConsoleFlags::FORCE)).await
    }

    async fn open_channel(&self, domain: &DomainRef, name: Option<&str>, flags: ChannelFlags) -> Result<ByteStream> {
        let document = self.live(domain)?;
        let missing = || Error::internal(format!("cannot find channel {}", name.unwrap_or("<default>")));
        let chardev = channel(&document, name).ok_or_else(missing)?;
        let way = match way(chardev) {
            Some(way @ Way::Socket(_)) => way,
            _ => {
                let name = name.unwrap_or("<default>");
                return Err(Error::internal(format!("channel {name} is not using a UNIX socket")));
            }
        };
        self.open_way(way, flags.contains(ChannelFlags::FORCE)).await
    }

    async fn screenshot(&self, domain: &DomainRef, screen: u32) -> Result<Screenshot> {
        let document = self.live(domain)?;
        let (device, head) = screen_of(&document, screen)?;
        let name = crate::process::launch::short_name(document.id.unwrap_or_default(), &document.name);
        let file = self
            .shared
            .config
            .layout
            .lib
            .join(format!("domain-{name}"))
            .join(format!("screendump-{}", uuid::Uuid::new_v4().simple()));
        let shot = Shot(file);
        let command = Screendump {
            filename: shot.0.to_string_lossy().into_owned(),
            device,
            head: Some(head),
            format: Some("png"),
        };
        self.question(domain, Question::of("a picture is being taken", &command)?).await?;
        let file = tokio::fs::File::open(&shot.0).await;
        let file = file.map_err(|error| Error::system(format!("cannot open '{}'", shot.0.display()), &error))?;
        Ok(Screenshot { mime: "image/png".to_owned(), data: Box::new(file) })
    }
}

/// A picture's file, removed as soon as it is open or has failed.
struct Shot(PathBuf);

impl Drop for Shot {
    fn drop(&mut self) {
        // QEMU may have failed before it made the file.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The device and head of a screen by its number, counted over all heads of all video devices.
fn screen_of(document: &Domain, screen: u32) -> Result<(Option<String>, u32)> {
    let mut first = 0_u32;
    for video in &document.devices.videos {
        let heads = video.model.as_ref().and_then(|it| it.heads).unwrap_or(1);
        if let Some(head) = screen.checked_sub(first).filter(|head| *head < heads) {
            return Ok((video.info.alias.as_ref().map(|it| it.name.clone()), head));
        }
        first = first.saturating_add(heads);
    }
    Err(Error::invalid_operation("no such screen ID"))
}
