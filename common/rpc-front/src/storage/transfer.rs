//! Volumes' bytes on their way: uploads and downloads, sparse ones with their holes.

use virtbus_api::storage::{Piece, VolumeReader, VolumeWriter};
use virtbus_proto::table::{StorageVolDownload, StorageVolUpload};
use virtbus_rpc::{
    error::{self, Failure},
    stream::{Incoming, Stream},
};

use crate::{
    Storage,
    console::Pipe,
    error::Fault,
    from_wire::{self, volume},
    routes::Routes,
};

pub(crate) fn routes() -> Routes<Storage> {
    Routes::<Storage>::default()
        .on_stream(|cx, a: StorageVolDownload| async move {
            let flags = from_wire::flags(&a, a.flags)?;
            Ok(((), Pipe::Download(cx.driver.download(&volume(&a.vol), a.offset, a.length, flags).await?)))
        })
        .on_stream(|cx, a: StorageVolUpload| async move {
            let flags = from_wire::flags(&a, a.flags)?;
            Ok(((), Pipe::Upload(cx.driver.upload(&volume(&a.vol), a.offset, a.length, flags).await?)))
        })
}

/// Sends all that the volume has, then waits for the client to finish.
pub(crate) async fn download(mut stream: Stream, mut volume: Box<dyn VolumeReader>) {
    loop {
        let piece = tokio::select! {
            biased;
            incoming = stream.receive() => match incoming {
                Incoming::Finish => return stream.finish(Ok(())).await,
                Incoming::Abort => return,
                Incoming::Data(_) | Incoming::Hole(_) => return stream.finish(Err(one_way())).await,
            },
            piece = volume.next() => piece,
        };
        let sent = match piece {
            Ok(Some(Piece::Data(data))) => stream.send(data).await,
            Ok(Some(Piece::Hole(length))) => stream.send_hole(length).await,
            Ok(None) => break,
            Err(error) => return stream.finish(Err(Fault::from(error).into())).await,
        };
        if sent.is_err() {
            return;
        }
    }
    drop(volume);
    if stream.end().await.is_err() {
        return;
    }
    match stream.receive().await {
        Incoming::Finish => stream.finish(Ok(())).await,
        Incoming::Abort => {}
        Incoming::Data(_) | Incoming::Hole(_) => stream.finish(Err(one_way())).await,
    }
}

/// Writes all that the client sends, and confirms once it is on disk.
pub(crate) async fn upload(mut stream: Stream, mut volume: Box<dyn VolumeWriter>) {
    loop {
        let piece = match stream.receive().await {
            Incoming::Data(data) => Piece::Data(data),
            Incoming::Hole(length) => Piece::Hole(length),
            Incoming::Finish => {
                let written = volume.finish().await.map_err(|it| Fault::from(it).into());
                return stream.finish(written).await;
            }
            Incoming::Abort => return,
        };
        if let Err(error) = volume.write(piece).await {
            return stream.finish(Err(Fault::from(error).into())).await;
        }
    }
}

fn one_way() -> Failure {
    error::rpc("data in a stream that is read".to_owned())
}
