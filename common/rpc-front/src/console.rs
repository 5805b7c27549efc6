//! Byte streams into a guest: consoles, channels, its screen.

use tokio::io::AsyncRead;
use virtbus_api::{
    hypervisor::ByteStream,
    storage::{VolumeReader, VolumeWriter},
};
use virtbus_proto::table::{DomainOpenChannel, DomainOpenConsole, DomainScreenshot, DomainScreenshotReply};
use virtbus_rpc::{
    stream::{self, StreamEnd},
    task,
};

use crate::{
    Hypervisor,
    from_wire::{self, domain},
    routes::Routes,
    storage,
};

/// What stands behind a stream.
pub(crate) enum Pipe {
    /// Both ways.
    Both(ByteStream),
    /// From the guest to the client.
    Read(Box<dyn AsyncRead + Send + Unpin>),
    /// From a volume to the client.
    Download(Box<dyn VolumeReader>),
    /// From the client to a volume.
    Upload(Box<dyn VolumeWriter>),
}

impl Pipe {
    /// Carries bytes from now on; the end that the reply takes along.
    pub(crate) fn start(self) -> StreamEnd {
        let (stream, end) = stream::channel();
        match self {
            Self::Both(it) => drop(task::spawn("stream of a console", stream.join(it))),
            Self::Read(it) => drop(task::spawn("stream of a picture", stream.download(it))),
            Self::Download(it) => drop(task::spawn("stream of a download", storage::download(stream, it))),
            Self::Upload(it) => drop(task::spawn("stream of an upload", storage::upload(stream, it))),
        }
        end
    }
}

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_stream(|cx, a: DomainOpenConsole| async move {
            let flags = from_wire::flags(&a, a.flags)?;
            let console = cx.driver.open_console(&domain(&a.dom), a.dev_name.as_deref(), flags).await?;
            Ok(((), Pipe::Both(console)))
        })
        .on_stream(|cx, a: DomainOpenChannel| async move {
            let flags = from_wire::flags(&a, a.flags)?;
            let channel = cx.driver.open_channel(&domain(&a.dom), a.name.as_deref(), flags).await?;
            Ok(((), Pipe::Both(channel)))
        })
        .on_stream(|cx, a: DomainScreenshot| async move {
            from_wire::no_flags(&a, a.flags)?;
            let picture = cx.driver.screenshot(&domain(&a.dom), a.screen).await?;
            Ok((DomainScreenshotReply { mime: Some(picture.mime) }, Pipe::Read(picture.data)))
        })
}
