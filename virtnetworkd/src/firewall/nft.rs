//! The rules in the kernel, by the program `nft` and its JSON interface: one transaction for each change.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_host::netlink::DeletedTables;
use virtbus_host::process::{Output, Spawn};
use virtbus_host::traffic;
use virtbus_schema::network::ForwardMode;

use super::{Firewall, Started, rules};

/// How long one transaction may take; a kernel with very many rules needs a second.
const DEADLINE: Duration = Duration::from_secs(30);
/// Docker's chain for the rules of others, in its table `filter`.
const DOCKER: &str = "DOCKER-USER";

/// nftables.
#[derive(Debug, Clone)]
pub struct Nft {
    program: PathBuf,
    /// The networks whose rules are in place, by bridge.
    known: Arc<Mutex<BTreeMap<String, Started>>>,
    /// Held, to write, by who replaces the whole table, lest a network that is added meanwhile be missed.
    whole: Arc<RwLock<()>>,
}

impl Default for Nft {
    fn default() -> Self {
        Self { program: "nft".into(), known: Arc::default(), whole: Arc::default() }
    }
}

#[async_trait]
impl Firewall for Nft {
    async fn add(&self, started: &Started) -> Result<()> {
        if !has_rules(started) {
            return Ok(());
        }
        let _part = self.whole.read().await;
        let mut commands = rules::base();
        commands.extend(of_network(started)?);
        self.change(commands).await?;
        self.know(|known| known.insert(started.bridge.clone(), started.clone()));
        let chains = self.list(&["chains"]).await;
        self.pass_docker(&chains, std::slice::from_ref(started)).await;
        tell_of_others(&chains, started);
        if started.network.dhcp4().is_some() {
            // nftables cannot; and only very old guests need it.
            if let Err(error) = traffic::fill_checksums(&started.bridge).await {
                tracing::debug!("checksums of DHCP are left to the guests: {error}");
            }
        }
        Ok(())
    }

    async fn remove(&self, started: &Started) -> Result<()> {
        if !has_rules(started) {
            return Ok(());
        }
        let _part = self.whole.read().await;
        self.know(|known| known.remove(&started.bridge));
        let mut commands = rules::base();
        commands.extend(rules::without(&started.bridge));
        self.change(commands).await?;
        self.leave_docker(&started.bridge).await;
        Ok(())
    }

    async fn reload(&self, started: &[Started]) -> Result<()> {
        let _all = self.whole.write().await;
        let ours = started.iter().filter(|started| has_rules(started));
        let mut all = self.know(|known| known.clone());
        all.extend(ours.map(|started| (started.bridge.clone(), started.clone())));
        let mut commands = rules::clear();
        commands.extend(rules::base());
        for started in all.values() {
            commands.extend(of_network(started)?);
        }
        self.change(commands).await?;
        let started: Vec<Started> = all.values().cloned().collect();
        self.know(|known| *known = all);
        self.pass_docker(&self.list(&["chains"]).await, &started).await;
        Ok(())
    }

    async fn lost(&self) {
        let heard = match DeletedTables::listen() {
            Ok(heard) => heard,
            Err(error) => {
                tracing::debug!("nobody tells of rules that are flushed: {error}");
                return std::future::pending().await;
            }
        };
        loop {
            // Looked at first: it may have gone before anybody listened.
            if !self.know(|known| known.is_empty()) && self.list(&["table", "inet", rules::TABLE]).await.is_empty() {
                return;
            }
            if let Err(error) = heard.deleted(rules::TABLE).await {
                tracing::warn!("nobody tells any longer of rules that are flushed: {error}");
                return std::future::pending().await;
            }
        }
    }
}

/// Whether a network is ours to guard.
fn has_rules(started: &Started) -> bool {
    matches!(started.network.mode(), ForwardMode::None | ForwardMode::Nat | ForwardMode::Route)
}

fn of_network(started: &Started) -> Result<Vec<Value>> {
    // In a rule it would stand for all devices whose names begin so.
    if started.bridge.contains('*') {
        let text = format!("bridge name '{}': no rule can name it alone", started.bridge);
        return Err(Error::unsupported_config(text).in_domain(ErrorDomain::Network));
    }
    Ok(rules::network(&started.network, &started.bridge))
}

impl Nft {
    fn know<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Started>) -> T) -> T {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn change(&self, commands: Vec<Value>) -> Result<()> {
        let output = self.run(&["-j", "-f", "-"], json!({"nftables": commands}).to_string()).await?;
        if output.exit.success() {
            return Ok(());
        }
        let text = format!("nft has refused the rules: {}: {}", output.exit, output.last_error_line());
        Err(Error::internal(text).in_domain(ErrorDomain::Network))
    }

    async fn run(&self, arguments: &[&str], input: String) -> Result<Output> {
        let spawn = Spawn::new(&self.program).args(arguments.iter().copied()).env("LC_ALL", "C");
        spawn.output_with_input(input.into_bytes(), DEADLINE).await.map_err(|error| {
            Error::internal("cannot change the packet filter").in_domain(ErrorDomain::Network).caused_by(error)
        })
    }

    /// What `nft -j list ...` says; nothing where there is no such thing.
    async fn list(&self, what: &[&str]) -> Vec<Value> {
        let arguments = [&["-j", "list"], what].concat();
        let Ok(output) = self.run(&arguments, String::new()).await else { return Vec::new() };
        if !output.exit.success() {
            return Vec::new();
        }
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        listed.get("nftables").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// Lets the bridges through Docker's filter, where it has one; our own has the say.
    async fn pass_docker(&self, chains: &[Value], started: &[Started]) {
        for family in dockers(chains) {
            let listed = self.list(&["chain", family, "filter", DOCKER]).await;
            let mut commands = Vec::new();
            for started in started.iter().filter(|started| has_rules(started)) {
                let comment = comment(&started.bridge);
                if rules_with(&listed, &comment).next().is_some() {
                    continue;
                }
                for key in ["iifname", "oifname"] {
                    let is = json!({"match": {"op": "==", "left": {"meta": {"key": key}}, "right": started.bridge}});
                    let expr = json!([is, {"counter": null}, {"accept": null}]);
                    let rule =
                        json!({"family": family, "table": "filter", "chain": DOCKER, "expr": expr, "comment": comment});
                    commands.push(json!({"insert": {"rule": rule}}));
                }
            }
            if commands.is_empty() {
                continue;
            }
            if let Err(error) = self.change(commands).await {
                tracing::warn!("guests may be cut off by Docker's packet filter: {error}");
            }
        }
    }

    async fn leave_docker(&self, bridge: &str) {
        for family in dockers(&self.list(&["chains"]).await) {
            let listed = self.list(&["chain", family, "filter", DOCKER]).await;
            let delete = |handle: u64| {
                let rule = json!({"family": family, "table": "filter", "chain": DOCKER, "handle": handle});
                json!({"delete": {"rule": rule}})
            };
            let commands: Vec<Value> = rules_with(&listed, &comment(bridge)).map(delete).collect();
            if commands.is_empty() {
                continue;
            }
            if let Err(error) = self.change(commands).await {
                tracing::warn!("rules for '{bridge}' stay in Docker's packet filter: {error}");
            }
        }
    }
}

/// The value of a listed chain's attribute.
fn word<'a>(chain: &'a Value, name: &str) -> &'a str {
    chain.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The families in which Docker has its chain for others.
fn dockers(chains: &[Value]) -> impl Iterator<Item = &'static str> {
    let has = |family: &&str| {
        let is = |chain: &Value| {
            (word(chain, "family"), word(chain, "table"), word(chain, "name")) == (*family, "filter", DOCKER)
        };
        chains.iter().filter_map(|it| it.get("chain")).any(is)
    };
    ["ip", "ip6"].into_iter().filter(has).collect::<Vec<_>>().into_iter()
}

/// Names, in the log, the chains of others that drop what they do not know: guests may be cut off by them.
fn tell_of_others(chains: &[Value], started: &Started) {
    for chain in chains.iter().filter_map(|it| it.get("chain")) {
        let drops = word(chain, "policy") == "drop" && matches!(word(chain, "hook"), "input" | "forward");
        if drops && word(chain, "table") != rules::TABLE {
            tracing::info!(
                bridge = started.bridge,
                "chain {} {} {} drops by policy: it must let this bridge through",
                word(chain, "family"),
                word(chain, "table"),
                word(chain, "name"),
            );
        }
    }
}

fn comment(bridge: &str) -> String {
    format!("virtbus {bridge}")
}

/// The handles of the listed rules that have this comment.
fn rules_with<'a>(listed: &'a [Value], comment: &'a str) -> impl Iterator<Item = u64> + 'a {
    let rules = listed.iter().filter_map(|it| it.get("rule"));
    rules
        .filter(move |rule| rule.get("comment").and_then(Value::as_str) == Some(comment))
        .filter_map(|rule| rule.get("handle")?.as_u64())
}

#[cfg(test)]
mod tests;
