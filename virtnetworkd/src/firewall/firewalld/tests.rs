//! Against something on a private bus that answers as firewalld does.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use virtbus_schema::Network;

use super::*;
use crate::firewall::NoFirewall;

/// A bus of the test's own.
struct Bus(Child, String);

impl Bus {
    #[allow(clippy::disallowed_methods, reason = "a test's own tool, not the daemon's")]
    fn start() -> Option<Self> {
        let mut child = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut address).ok()?;
        Some(Self(child, address.trim().to_owned()))
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was asked for, in order.
#[derive(Clone, Default)]
struct Zones(Arc<Mutex<Vec<String>>>);

#[zbus::interface(name = "org.fedoraproject.FirewallD1.zone")]
impl Zones {
    #[zbus(name = "changeZoneOfInterface")]
    fn change(&self, zone: &str, interface: &str) -> zbus::fdo::Result<String> {
        if zone == "missing" {
            return Err(zbus::fdo::Error::Failed("INVALID_ZONE: missing".to_owned()));
        }
        self.0.lock().expect("held by nobody").push(format!("{interface} to {zone}"));
        Ok(zone.to_owned())
    }

    #[zbus(name = "removeInterface")]
    fn remove(&self, zone: &str, interface: &str) -> String {
        self.0.lock().expect("held by nobody").push(format!("{interface} out"));
        zone.to_owned()
    }
}

fn started(mode: &str, zone: &str) -> Started {
    let xml =
        format!("<network><name>n</name>{mode}<bridge name='b'{zone}/><ip address='10.1.1.1' prefix='24'/></network>");
    Started { network: Arc::new(Network::parse(&xml).expect("a network")), bridge: "b".to_owned() }
}

#[tokio::test]
async fn bridges_are_put_into_zones() {
    let Some(bus) = Bus::start() else {
        eprintln!("skipped: dbus-daemon is not installed");
        return;
    };
    let firewall = WithZones { filter: NoFirewall, bus: Some(bus.1.clone()) };
    // Nobody is there yet: only a zone that is asked for is missed.
    firewall.add(&started("", "")).await.expect("nothing to do");
    let refused = firewall.add(&started("", " zone='mine'")).await.expect_err("no firewalld");
    assert_eq!(refused.message(), "internal error: zone mine requested for network n but firewalld is not active");
    let zones = Zones::default();
    let served = zbus::connection::Builder::address(bus.1.as_str()).serve_at(PATH, zones.clone()).name(NAME);
    let heard = tokio::time::timeout(DEADLINE, firewall.lost());
    let coming = async {
        // It must be listened to by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        served.build().await.expect("on the bus")
    };
    let (heard, _there) = tokio::join!(heard, coming);
    heard.expect("its coming is heard of");
    for (mode, zone) in [("", ""), ("<forward mode='nat'/>", ""), ("<forward mode='route'/>", ""), ("", " zone='mine'")]
    {
        firewall.add(&started(mode, zone)).await.expect("put");
    }
    let refused = firewall.add(&started("", " zone='missing'")).await.expect_err("refused");
    assert!(refused.message().contains("INVALID_ZONE"), "{refused}");
    firewall.reload(&[started("<forward mode='open'/>", "")]).await.expect("put");
    firewall.remove(&started("", "")).await.expect("taken out");
    let asked = zones.0.lock().expect("held by nobody").join(", ");
    assert_eq!(asked, "b to libvirt, b to libvirt, b to libvirt-routed, b to mine, b to libvirt-routed, b out");
}
