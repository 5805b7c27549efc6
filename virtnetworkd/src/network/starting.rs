//! What a start makes, step by step; each step is a type that the next one consumes:
//! `Bridged` -> `Addressed` -> `Filtered` -> `Up`.
//!
//! A step that fails takes back what was made before it, last first, and goes on past what cannot be taken back. One that is
//! dropped does so too, in the background. Stopping a network is the same way back.

use std::sync::Arc;

use virtbus_api::{Error, Result};
use virtbus_schema::{
    Network,
    network::{ForwardMode, Nat, NatPort},
};

use crate::blocking::call;
use crate::dhcp::{self, Server};
use crate::driver::Shared;
use crate::firewall::Started;
use crate::{address, bandwidth, bridge, forward, pool};

/// The ports that connections leave with where the document does not say.
const NAT_PORTS: NatPort = NatPort { start: 1024, end: 65535 };

/// What stands so far.
#[derive(Debug)]
struct Ground {
    shared: Arc<Shared>,
    started: Started,
    /// What was made, first to last.
    made: Vec<Made>,
}

#[derive(Debug)]
enum Made {
    Bridge,
    Rates,
    Rules,
    Server(Server),
}

/// A network whose bridge stands.
#[derive(Debug)]
pub(crate) struct Bridged(Ground);

/// A network that the host has its addresses in.
#[derive(Debug)]
pub(crate) struct Addressed(Ground);

/// A network that is kept apart from others, or let through.
#[derive(Debug)]
pub(crate) struct Filtered(Ground);

/// The document of what is to run: the definition with what a start adds.
///
/// # Errors
/// `INTERNAL_ERROR`: the pool's device has nothing to give.
pub(crate) async fn live_document(definition: &Network) -> Result<Network> {
    let mut document = definition.clone();
    let Some(forward) = &mut document.forward else { return Ok(document) };
    if forward.mode == ForwardMode::Nat {
        let nat = forward.nat.get_or_insert_with(Nat::default);
        nat.port.get_or_insert(NAT_PORTS);
    }
    if let Some(pf) = &forward.pf {
        let (device, mode) = (pf.dev.clone(), forward.mode);
        let found = call(format!("looking at {device}"), move || pool::functions_of(&device, mode)).await?;
        (forward.interfaces, forward.addresses) = found;
    }
    Ok(document)
}

impl Bridged {
    /// Makes the bridge of `network`, or takes over what an interrupted start has left of it.
    pub(crate) async fn make(shared: &Arc<Shared>, network: Arc<Network>, name: &str) -> Result<Self> {
        let started = Started { network, bridge: name.to_owned() };
        let ground = Ground { shared: Arc::clone(shared), started: started.clone(), made: Vec::new() };
        let check_and_make = move || {
            address::check_free(&started.network, &started.bridge)?;
            bridge::create(&started.network, &started.bridge)
        };
        // What could not be made may be somebody else's: there is nothing to take back.
        call(format!("bridge '{name}'"), check_and_make).await?;
        Ok(Self(ground.with(Made::Bridge)))
    }

    /// Gives the bridge its addresses, routes and rates, and takes it up.
    pub(crate) async fn address(self) -> Result<Addressed> {
        let Started { network, bridge } = self.0.started.clone();
        let done = call(format!("addresses of '{bridge}'"), move || address::assign(&network, &bridge)).await;
        let ground = self.0.or_take_back(done).await?;
        if ground.started.network.bandwidth.is_none() {
            return Ok(Addressed(ground));
        }
        let done = bandwidth::set_bridge(&ground.started.network, &ground.started.bridge).await;
        ground.with(Made::Rates).or_take_back(done).await.map(Addressed)
    }
}

impl Addressed {
    /// Makes the host a router for the network, within the rules of its kind.
    pub(crate) async fn filter(self) -> Result<Filtered> {
        let network = Arc::clone(&self.0.started.network);
        let done = match self.0.shared.firewall.add(&self.0.started).await {
            Ok(()) => call("forwarding", move || forward::enable(&network)).await,
            failed => failed,
        };
        self.0.with(Made::Rules).or_take_back(done).await.map(Filtered)
    }
}

impl Filtered {
    /// Starts the network's server, if it has anything to serve.
    pub(crate) async fn serve(self) -> Result<Up> {
        let Started { network, bridge } = &self.0.started;
        if !dhcp::is_served(network) {
            return Ok(Up(self.0));
        }
        let places = &self.0.shared.config.dnsmasq;
        match Server::start(places, network, bridge).await {
            Ok(server) => Ok(Up(self.0.with(Made::Server(server)))),
            Err(error) => self.0.or_take_back(Err(error)).await.map(Up),
        }
    }
}

/// A network that is all there.
#[derive(Debug)]
pub(crate) struct Up(Ground);

impl Up {
    /// Hands the network over to its owner, who takes it down one day.
    pub(crate) fn hand_over(mut self) -> Option<Server> {
        let made = std::mem::take(&mut self.0.made);
        made.into_iter().find_map(|it| match it {
            Made::Server(server) => Some(server),
            _ => None,
        })
    }
}

/// Takes a network down that was started, by whichever daemon. Goes on past errors and reports them all.
pub(crate) async fn take_down(shared: &Arc<Shared>, network: Arc<Network>, server: Option<Server>) -> Result<()> {
    let Some(bridge) = network.bridge_name().filter(|_| network.mode().has_own_bridge()).map(str::to_owned) else {
        return Ok(());
    };
    let mut made = vec![Made::Bridge];
    if network.bandwidth.is_some() {
        made.push(Made::Rates);
    }
    made.push(Made::Rules);
    made.extend(server.map(Made::Server));
    let mut ground = Ground { shared: Arc::clone(shared), started: Started { network, bridge }, made };
    match ground.take_back().await {
        left if left.is_empty() => Ok(()),
        left => Err(crate::fault::internal(left)),
    }
}

impl Ground {
    fn with(mut self, made: Made) -> Self {
        self.made.push(made);
        self
    }

    /// Goes on, or takes back what was made.
    async fn or_take_back(mut self, done: Result<()>) -> Result<Self> {
        let Err(mut error) = done else { return Ok(self) };
        let left = self.take_back().await;
        if !left.is_empty() {
            error.detail = format!("{}; and what was made could not all be taken back: {left}", error.detail);
        }
        Err(error)
    }

    /// Takes back what was made, last first; what could not be, in words.
    async fn take_back(&mut self) -> String {
        let mut left = Vec::new();
        while let Some(made) = self.made.pop() {
            if let Err(error) = take_back(&self.shared, &self.started, made).await {
                tracing::error!(network = self.started.network.name, "taking it down: {error}");
                left.push(error.message());
            }
        }
        left.join("; ")
    }
}

async fn take_back(shared: &Arc<Shared>, started: &Started, made: Made) -> Result<()> {
    let bridge = started.bridge.clone();
    match made {
        Made::Bridge => call(format!("removing bridge '{bridge}'"), move || bridge::remove(&bridge)).await,
        Made::Rates => bandwidth::clear(&bridge).await,
        Made::Rules => shared.firewall.remove(started).await,
        Made::Server(server) => {
            server.stop().await;
            Ok::<_, Error>(())
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.made.is_empty() {
            return;
        }
        // The owner ended in the middle of a start.
        let mut left = Self {
            shared: Arc::clone(&self.shared),
            started: self.started.clone(),
            made: std::mem::take(&mut self.made),
        };
        drop(virtbus_host::task::spawn("undo of a start", async move {
            left.take_back().await;
        }));
    }
}
