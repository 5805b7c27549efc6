//! What a call costs in the front alone: a simulated engine, real sockets, the leanest client there is.
//!
//! ```text
//! cargo run --release -p virtbus-rpc-front --example bench            # a simulated daemon in this process
//! cargo run --release -p virtbus-rpc-front --example bench -- SOCKET URI   # any daemon
//! ```
#![allow(clippy::print_stdout, reason = "its output is what it is for")]
#![allow(clippy::disallowed_methods, reason = "client threads beside the daemon, not in it")]

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use virtbus_proto::{
    Header, Procedure,
    table::{AuthList, ConnectGetLibVersion, ConnectListAllDomains, ConnectOpen, NodeGetInfo},
};
use virtbus_rpc::{
    peer::SocketKind,
    server::{Limits, Server},
    task,
};
use virtbus_rpc_front::Front;
use virtbus_sim::Sim;

const CALLS: usize = 20_000;
const CONNECTIONS: usize = 8;
const PERIOD: Duration = Duration::from_secs(2);

/// A client that waits for each reply.
struct Client {
    socket: UnixStream,
    serial: u32,
    reply: Vec<u8>,
}

impl Client {
    fn open(path: &Path, uri: &str) -> io::Result<Self> {
        let mut it = Self { socket: UnixStream::connect(path)?, serial: 0, reply: vec![0; 1 << 20] };
        it.call(&AuthList {})?;
        it.call(&ConnectOpen { name: Some(uri.to_owned()), flags: 0 })?;
        Ok(it)
    }

    fn call<P: Procedure>(&mut self, args: &P) -> io::Result<()> {
        let body = args.to_bytes().map_err(io::Error::other)?;
        let mut frame = u32::try_from(28 + body.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        frame.extend(Header::call(P::PROGRAM, P::NUMBER, self.serial).encode());
        frame.extend(body);
        self.serial += 1;
        self.socket.write_all(&frame)?;
        let (mut read, mut expected) = (0, 28);
        while read < expected {
            let room = self.reply.get_mut(read..).unwrap_or_default();
            match self.socket.read(room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => read += count,
            }
            if let Some(length) = self.reply.first_chunk::<4>().filter(|_| read >= 4) {
                expected = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
            }
        }
        match self.reply.get(27) {
            Some(0) => Ok(()),
            _ => Err(io::Error::other(format!("{} was refused", P::ENTRY.name))),
        }
    }

    fn measure<P: Procedure>(&mut self, args: &P) -> io::Result<()> {
        for _ in 0..CALLS / 10 {
            self.call(args)?;
        }
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            self.call(args)?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let at = |share: usize| times.get(CALLS * share / 1000).map_or(0.0, |it| it.as_secs_f64() * 1e6);
        println!("{:<26} median {:6.1} us   p99 {:6.1} us", P::ENTRY.name, at(500), at(990));
        Ok(())
    }
}

/// Calls per second over connections that each wait for their replies.
fn throughput(path: &Path, uri: &str) -> io::Result<f64> {
    let one = |path: PathBuf, uri: String| -> io::Result<usize> {
        let mut client = Client::open(&path, &uri)?;
        let (began, mut calls) = (Instant::now(), 0);
        while began.elapsed() < PERIOD {
            client.call(&ConnectGetLibVersion {})?;
            calls += 1;
        }
        Ok(calls)
    };
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|_| (path.to_owned(), uri.to_owned()))
        .map(|(path, uri)| std::thread::spawn(move || one(path, uri)))
        .collect();
    let mut calls = 0_u32;
    for thread in threads {
        let done = thread.join().map_err(|_| io::Error::other("a client panicked"))??;
        calls += u32::try_from(done).unwrap_or(u32::MAX);
    }
    Ok(f64::from(calls) / PERIOD.as_secs_f64())
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let runtime = tokio::runtime::Runtime::new()?;
    let (path, uri) = match (args.next(), args.next()) {
        (Some(path), Some(uri)) => (PathBuf::from(path), uri),
        _ => (serve(&runtime)?, "qemu:///system".to_owned()),
    };
    let mut client = Client::open(&path, &uri)?;
    client.measure(&ConnectGetLibVersion {})?;
    client.measure(&NodeGetInfo {})?;
    client.measure(&ConnectListAllDomains { need_results: 1, flags: 0 })?;
    println!("{CONNECTIONS} connections, CONNECT_GET_LIB_VERSION: {:.0} calls/s", throughput(&path, &uri)?);
    Ok(())
}

/// A simulated daemon in this process.
fn serve(runtime: &tokio::runtime::Runtime) -> io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("virtbus-bench-{}", std::process::id()));
    runtime.block_on(async {
        let front = Front::new(Arc::new(Sim::new("qemu:///system")));
        let server = Server::new(Arc::new(front), Limits::default());
        let listener = tokio::net::UnixListener::bind(&path)?;
        drop(task::spawn("listener", async move { server.serve(listener, SocketKind::ReadWrite).await }));
        Ok(path.clone())
    })
}
