//! Whoever asks for all objects once and applies the signals behind the answer has what is there: paths, interfaces and
//! properties, whatever happens meanwhile.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use uuid::Uuid;
use virtbus_api::{
    HypervisorDriver, LeaseGuard, NetworkDriver, NetworkRef, PortRef, StorageDriver, document,
    flags::{
        DefineFlags, DestroyFlags, Impact, ListFilter, NetworkCreateFlags, NetworkDefineFlags, NetworkFilter,
        NetworkUpdateFlags, PoolCreateFlags, PoolDefineFlags, PoolFilter, PortCreateFlags, SecretDefineFlags,
        SecretFilter, StartFlags, UndefineFlags, VolumeCreateFlags, VolumeDeleteFlags,
    },
    hypervisor::MetadataKind,
    storage::SecretValue,
};
use virtbus_sim::{Sim, SimNetwork, SimStorage};
use zbus::{MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant, message::Type};

use crate::stand::{NAME, ROOT, Stand};

/// How many things are done in a series.
const STEPS: usize = 400;

/// How many objects of a kind there can be.
const SPREAD: u64 = 6;

type Managed = HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>>;

/// All objects: path, interface, property, value. A property that has become invalid has none.
type World = BTreeMap<String, BTreeMap<String, BTreeMap<String, Option<String>>>>;

/// Random numbers that are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn uuid(kind: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(kind, number + 1)
}

fn properties(it: HashMap<String, OwnedVariant>) -> BTreeMap<String, Option<String>> {
    it.into_iter().map(|(name, value)| (name, Some(format!("{value:?}")))).collect()
}

fn interfaces(
    it: HashMap<String, HashMap<String, OwnedVariant>>,
) -> BTreeMap<String, BTreeMap<String, Option<String>>> {
    it.into_iter().map(|(name, it)| (name, properties(it))).collect()
}

fn world(managed: Managed) -> World {
    managed.into_iter().map(|(path, it)| (path.to_string(), interfaces(it))).collect()
}

/// Applies a signal.
fn apply(world: &mut World, signal: &Message) {
    let header = signal.header();
    let body = signal.body();
    match header.member().unwrap().as_str() {
        "InterfacesAdded" => {
            let (path, added): (OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>) =
                body.deserialize().unwrap();
            world.entry(path.to_string()).or_default().extend(interfaces(added));
        }
        "InterfacesRemoved" => {
            let (path, removed): (OwnedObjectPath, Vec<String>) = body.deserialize().unwrap();
            if let Some(it) = world.get_mut(path.as_str()) {
                it.retain(|name, _| !removed.contains(name));
                if it.is_empty() {
                    world.remove(path.as_str());
                }
            }
        }
        "PropertiesChanged" => {
            let (interface, changed, invalid): (String, HashMap<String, OwnedVariant>, Vec<String>) =
                body.deserialize().unwrap();
            let object = world.get_mut(header.path().unwrap().as_str()).expect("the object of a change is known");
            let known = object.get_mut(&interface).expect("its interface is known");
            known.extend(properties(changed));
            known.extend(invalid.into_iter().map(|it| (it, None)));
        }
        _ => {}
    }
}

async fn all(stand: &Stand) -> Message {
    let manager = "org.freedesktop.DBus.ObjectManager";
    stand.client.call_method(Some(NAME), ROOT, Some(manager), "GetManagedObjects", &()).await.unwrap()
}

/// Follows the front while `busy` runs, asking for all objects all the time: whichever answer one begins with, the signals
/// behind it lead to what is there at the end.
async fn follow(stand: &Stand, busy: impl Future<Output = ()>) {
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(NAME).build().unwrap();
    let mut signals = MessageStream::for_match_rule(rule, &stand.client, NonZeroUsize::new(100_000)).await.unwrap();
    let mut answers = vec![all(stand).await];
    let mut busy = std::pin::pin!(busy);
    loop {
        tokio::select! {
            () = &mut busy => break,
            answer = all(stand) => answers.push(answer),
        }
    }
    // The engine's last events are on their way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let last = all(stand).await;
    let mut heard = Vec::new();
    while let Ok(Some(signal)) = tokio::time::timeout(Duration::from_millis(300), signals.next()).await {
        heard.push(signal.unwrap());
    }
    assert!(heard.len() > STEPS / 2, "{} signals", heard.len());
    for answer in &answers {
        let mut world = world(answer.body().deserialize().unwrap());
        heard.iter().filter(|it| it.recv_position() > answer.recv_position()).for_each(|it| apply(&mut world, it));
        check(world, &last);
    }
}

/// What was put together is what is there, but for values that must be asked for.
fn check(mut found: World, last: &Message) {
    let mut there = world(last.body().deserialize().unwrap());
    for (path, interfaces) in &mut found {
        for (interface, values) in interfaces {
            let unknown: Vec<_> = values.iter().filter(|it| it.1.is_none()).map(|it| it.0.clone()).collect();
            for name in unknown {
                values.remove(&name);
                there.get_mut(path).and_then(|it| it.get_mut(interface)).map(|it| it.remove(&name));
            }
        }
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    assert_eq!(found, there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_volumes_and_secrets_are_followed() {
    let sim = SimStorage::new("storage:///system");
    let driver: Arc<dyn StorageDriver> = Arc::new(sim);
    let stand = Stand::new(driver.clone().into()).await;
    let mut dice = Dice(0x5eed);
    follow(&stand, async {
        for _ in 0..STEPS {
            // What the state does not allow is refused, which is as good a step as any.
            storage_step(&*driver, &mut dice).await;
            tokio::task::yield_now().await;
        }
        assert!(!driver.list(PoolFilter::empty()).is_empty() || !driver.secrets(SecretFilter::empty()).is_empty());
    })
    .await;
}

async fn storage_step(driver: &dyn StorageDriver, dice: &mut Dice) {
    let number = dice.below(SPREAD);
    let pool = virtbus_api::PoolRef { name: format!("p{number}"), uuid: uuid(1, number) };
    let document = || {
        let text = format!(
            "<pool type='dir'><name>p{number}</name><uuid>{}</uuid><target><path>/p{number}</path></target></pool>",
            pool.uuid
        );
        document::parse_pool(&text, false).unwrap()
    };
    let name = format!("v{}", dice.below(SPREAD));
    let volume = || {
        let text = format!("<volume><name>{name}</name><capacity>1024</capacity></volume>");
        document::parse_volume(&text, false).unwrap()
    };
    let secret = virtbus_api::SecretRef { uuid: uuid(2, number), usage_type: 0, usage_id: String::new() };
    match dice.below(14) {
        0 => drop(driver.define(document(), PoolDefineFlags::empty()).await),
        1 => drop(driver.create(document(), PoolCreateFlags::empty()).await),
        2 | 3 => drop(driver.start(&pool, PoolCreateFlags::empty()).await),
        4 => drop(driver.destroy(&pool).await),
        5 => drop(driver.undefine(&pool).await),
        6 => drop(driver.refresh(&pool).await),
        7 => drop(driver.set_autostart(&pool, dice.below(2) == 0).await),
        8 | 9 => drop(driver.create_volume(&pool, volume(), VolumeCreateFlags::empty()).await),
        10 | 11 => {
            if let Ok(found) = driver.lookup_volume(&pool, &name) {
                driver.delete_volume(&found, VolumeDeleteFlags::empty()).await.unwrap();
            }
        }
        12 => {
            let text = format!("<secret><uuid>{}</uuid></secret>", secret.uuid);
            drop(driver.define_secret(document::parse_secret(&text, false).unwrap(), SecretDefineFlags::empty()).await);
            drop(driver.set_secret_value(&secret, SecretValue::new(vec![1])).await);
        }
        _ => drop(driver.undefine_secret(&secret).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn networks_and_ports_are_followed() {
    let driver: Arc<dyn NetworkDriver> = Arc::new(SimNetwork::new("network:///system"));
    let stand = Stand::new(driver.clone().into()).await;
    let mut dice = Dice(0xd1ce);
    follow(&stand, async {
        for _ in 0..STEPS {
            network_step(&*driver, &mut dice).await;
            tokio::task::yield_now().await;
        }
        assert!(!driver.list(NetworkFilter::empty()).is_empty());
    })
    .await;
}

async fn network_step(driver: &dyn NetworkDriver, dice: &mut Dice) {
    let number = dice.below(SPREAD);
    let network = NetworkRef { name: format!("n{number}"), uuid: uuid(3, number) };
    let document = || {
        let text = format!("<network><name>n{number}</name><uuid>{}</uuid></network>", network.uuid);
        document::parse_network(&text, false).unwrap()
    };
    let port = PortRef { network: network.clone(), uuid: uuid(4, dice.below(SPREAD)) };
    match dice.below(12) {
        0 => drop(driver.define(document(), NetworkDefineFlags::empty()).await),
        1 => drop(driver.create(document(), NetworkCreateFlags::empty()).await),
        2 | 3 => drop(driver.start(&network).await),
        4 => drop(driver.destroy(&network).await),
        5 => drop(driver.undefine(&network).await),
        6 => drop(driver.set_autostart(&network, dice.below(2) == 0).await),
        7..=9 => {
            let text = format!(
                "<networkport><uuid>{}</uuid><owner><name>vm</name><uuid>{}</uuid></owner>\
                 <mac address='52:54:00:00:00:01'/></networkport>",
                port.uuid,
                uuid(5, 0)
            );
            let port = document::parse_network_port(&text, false).unwrap();
            drop(driver.create_port(&network, port, PortCreateFlags::empty()).await);
        }
        10 => {
            let told = Some("a title".to_owned());
            drop(driver.set_metadata(&network, MetadataKind::Title, told, None, NetworkUpdateFlags::empty()).await);
        }
        _ => drop(driver.delete_port(&port).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_are_followed() {
    let driver: Arc<dyn HypervisorDriver> = Arc::new(Sim::new("qemu:///system"));
    let stand = Stand::new(driver.clone().into()).await;
    let mut dice = Dice(0x90e57);
    let lease = LeaseGuard::new(1);
    follow(&stand, async {
        for _ in 0..STEPS {
            domain_step(&*driver, &mut dice, &lease).await;
            tokio::task::yield_now().await;
        }
        assert!(!driver.list(ListFilter::empty()).is_empty());
    })
    .await;
}

async fn domain_step(driver: &dyn HypervisorDriver, dice: &mut Dice, lease: &LeaseGuard) {
    let number = dice.below(SPREAD);
    let uuid = uuid(6, number);
    let domain = virtbus_api::DomainRef::of_uuid(uuid);
    let document = || {
        let text = format!(
            "<domain type='qemu'><name>d{number}</name><uuid>{uuid}</uuid><memory>65536</memory>\
             <os><type>hvm</type></os></domain>"
        );
        document::parse_domain(&text, false).unwrap()
    };
    match dice.below(12) {
        0 => drop(driver.define(document(), DefineFlags::empty()).await),
        1 => drop(driver.create(document(), StartFlags::empty(), lease.lease()).await),
        2 | 3 => drop(driver.start(&domain, StartFlags::empty(), lease.lease()).await),
        4 => drop(driver.destroy(&domain, DestroyFlags::empty()).await),
        5 => drop(driver.undefine(&domain, UndefineFlags::empty()).await),
        6 => drop(driver.set_autostart(&domain, dice.below(2) == 0).await),
        7 => drop(driver.suspend(&domain).await),
        8 => drop(driver.resume(&domain).await),
        9 => drop(driver.rename(&domain, &format!("other{number}")).await),
        10 => drop(driver.rename(&domain, &format!("d{number}")).await),
        _ => {
            let told = Some("a title".to_owned());
            drop(driver.set_metadata(&domain, MetadataKind::Title, told, None, Impact::empty()).await);
        }
    }
}
