//! Rules by the real program in the real kernel, in a network namespace of the test's own.

use std::sync::Arc;

use virtbus_schema::Network;

use super::*;
use crate::testing::alone;

fn started(mode: &str, ips: &str) -> Started {
    let xml = format!("<network><name>t</name>{mode}<bridge name='vbt0'/>{ips}</network>");
    Started { network: Arc::new(Network::parse(&xml).expect("a network")), bridge: "vbt0".to_owned() }
}

const IPS: &str = "<ip address='10.9.1.1' netmask='255.255.255.0'><tftp root='/srv'/></ip>\
                   <ip family='ipv6' address='fd00:9::1' prefix='64'/>";

async fn ruleset(nft: &Nft) -> String {
    let output = nft.run(&["list", "ruleset"], String::new()).await.expect("listed");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn rules_come_and_go_whole() {
    alone(async {
        let nft = Nft::default();
        let nat = started("<forward mode='nat'/>", IPS);
        nft.add(&nat).await.expect("added");
        let text = ruleset(&nft).await;
        for part in [
            "ip daddr 10.9.1.0/24 ct state established,related",
            "masquerade to :1024-65535",
            "ip saddr 10.9.1.0/24 ip daddr 224.0.0.0/24",
            "ip6 daddr fd00:9::/64",
            "udp dport { 53, 67, 69, 547 }",
        ] {
            assert!(text.contains(part), "{part} in:\n{text}");
        }
        nft.add(&nat).await.expect("added again");
        assert_eq!(ruleset(&nft).await.len(), text.len());
        nft.remove(&nat).await.expect("removed");
        let text = ruleset(&nft).await;
        assert!(!text.contains("vbt0"), "{text}");
        nft.remove(&nat).await.expect("already gone");
        nft.run(&["flush", "ruleset"], String::new()).await.expect("flushed");
        nft.remove(&nat).await.expect("nothing there at all");
        nft.reload(std::slice::from_ref(&nat)).await.expect("put back");
        assert!(ruleset(&nft).await.contains("masquerade"));
        // Another daemon knows nothing of it.
        Nft::default().reload(&[]).await.expect("none left");
        assert!(!ruleset(&nft).await.contains("vbt0"));
    });
}

#[test]
fn ranges_devices_and_modes() {
    alone(async {
        let nft = Nft::default();
        let nat = "<forward mode='nat' dev='up0'><nat ipv6='yes'><address start='192.0.2.5' end='192.0.2.9'/>\
                   <port start='500' end='1000'/></nat></forward>";
        nft.add(&started(nat, IPS)).await.expect("added");
        let text = ruleset(&nft).await;
        for part in [
            "snat ip to 192.0.2.5-192.0.2.9:500-1000",
            "snat ip to 192.0.2.5-192.0.2.9\n",
            "oifname \"up0\"",
            "ip6 daddr ff02::/16",
            "masquerade to :500-1000",
        ] {
            assert!(text.contains(part), "{part} in:\n{text}");
        }
        nft.add(&started("<forward mode='route'/>", IPS)).await.expect("added");
        let text = ruleset(&nft).await;
        assert!(!text.contains("masquerade") && !text.contains("ct state") && text.contains("10.9.1.0/24"), "{text}");
        nft.add(&started("", IPS)).await.expect("added");
        let text = ruleset(&nft).await;
        assert!(!text.contains("10.9.1.0/24") && text.contains("reject"), "{text}");
        let nft = Nft::default();
        nft.reload(&[started("<forward mode='open'/>", IPS)]).await.expect("nothing to do");
        assert!(!ruleset(&nft).await.contains("vbt0"));
        let odd = Started { bridge: "vb*".to_owned(), ..started("", IPS) };
        assert!(nft.add(&odd).await.is_err());
    });
}

#[test]
fn a_flush_is_heard_of() {
    alone(async {
        let nft = Nft::default();
        nft.add(&started("<forward mode='nat'/>", IPS)).await.expect("added");
        let waiting = Duration::from_secs(20);
        let flush = async {
            nft.reload(&[]).await.expect("replaced in one step, which is no loss");
            nft.run(&["add", "table", "inet", "other"], String::new()).await.expect("made");
            nft.run(&["delete", "table", "inet", "other"], String::new()).await.expect("not ours");
            tokio::time::sleep(Duration::from_millis(300)).await;
            nft.run(&["flush", "ruleset"], String::new()).await.expect("flushed");
        };
        let (lost, ()) = tokio::join!(tokio::time::timeout(waiting, nft.lost()), flush);
        lost.expect("heard of");
        assert!(tokio::time::timeout(waiting, nft.lost()).await.is_ok(), "still lost");
        nft.reload(&[]).await.expect("what was added comes back");
        assert!(ruleset(&nft).await.contains("masquerade"));
        assert!(tokio::time::timeout(Duration::from_millis(300), nft.lost()).await.is_err(), "all is there");
    });
}

#[test]
fn docker_lets_our_bridges_through() {
    alone(async {
        let nft = Nft::default();
        let docker = "add table ip filter; add chain ip filter DOCKER-USER; \
                      add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }";
        nft.run(&[docker], String::new()).await.expect("made");
        let nat = started("<forward mode='nat'/>", IPS);
        nft.add(&nat).await.expect("added");
        nft.reload(std::slice::from_ref(&nat)).await.expect("again");
        let text = ruleset(&nft).await;
        assert_eq!(text.matches("comment \"virtbus vbt0\"").count(), 2, "{text}");
        nft.remove(&nat).await.expect("removed");
        assert!(!ruleset(&nft).await.contains("vbt0"));
    });
}
