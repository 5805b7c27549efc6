//! The life of networks on the real kernel with a real dnsmasq, each test in a network of its own. Where that may not be made,
//! or dnsmasq is not installed, they say that they are skipped.

// A test that cannot be set up should fail where it is.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

mod stand;

use std::sync::Arc;
use std::time::Duration;

use stand::{Stand, alone, network, port, until};
use virtbus_api::{
    ErrorCode, NetworkEventKind, NetworkLifecycle, Turnover,
    flags::{NetworkCreateFlags, NetworkDefineFlags, NetworkUpdateFlags, NetworkXmlFlags, PortCreateFlags},
    network::{Networks as _, Ports as _, UpdateCommand},
};
use virtbus_schema::{FormatOptions, NetworkSection, SectionKind};

const NAT: &str = "<network><name>default</name><forward mode='nat'/><ip address='192.168.122.1' netmask='255.255.255.0'>\
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>";

fn section(kind: SectionKind, text: &str) -> NetworkSection {
    NetworkSection { kind, text: text.to_owned() }
}

#[test]
fn a_network_from_definition_to_nothing() {
    alone(async {
        let stand = Stand::new();
        let engine = stand.engine().await;
        let mut events = engine.events();
        let it = engine.define(network(NAT), NetworkDefineFlags::empty()).await.expect("defined");
        assert_eq!(engine.bridge_name(&it).expect("made up"), "virbr0");
        engine.set_autostart(&it, true).await.expect("linked");
        engine.start(&it).await.expect("started");
        assert_eq!(engine.start(&it).await.unwrap_err().code, ErrorCode::OperationInvalid);
        assert!(stand.has_device("virbr0") && stand.dnsmasq("default").is_some());
        let live = engine.xml(&it, NetworkXmlFlags::empty()).expect("it has one");
        let live = live.format(FormatOptions::default());
        assert!(
            live.contains("<port start='1024' end='65535'/>") && live.contains("<mac address='52:54:00:"),
            "{live}"
        );
        let status = std::fs::read_to_string(stand.run().join("default.xml")).expect("written");
        assert!(status.contains("<networkstatus>") && status.contains("virsh net-edit default"), "{status}");
        assert!(engine.leases(&it, None).await.expect("readable").is_empty());
        assert_eq!(engine.leases(&it, Some("zz")).await.unwrap_err().code, ErrorCode::InvalidMac);
        engine.undefine(&it).await.expect("undefined");
        assert!(!engine.is_persistent(&it).expect("it runs"));
        engine.destroy(&it).await.expect("stopped");
        assert!(!stand.has_device("virbr0") && stand.dnsmasq("default").is_none());
        assert_eq!(engine.is_active(&it).unwrap_err().code, ErrorCode::NoNetwork);
        assert!(!stand.run().join("default.xml").exists());
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(event.kind);
        }
        use NetworkLifecycle::{Defined, Started, Stopped, Undefined};
        let mut wanted = [Defined, Started, Undefined, Stopped].map(NetworkEventKind::Lifecycle).to_vec();
        wanted.insert(1, NetworkEventKind::AutostartChange);
        assert_eq!(told, wanted);
    });
}

#[test]
fn the_next_daemon_takes_over_and_clears_up() {
    alone(async {
        let stand = Stand::new();
        let first = stand.engine().await;
        let nat = first.define(network(NAT), NetworkDefineFlags::empty()).await.expect("defined");
        first.start(&nat).await.expect("started");
        let transient = network("<network><name>t</name><bridge name='virbr7'/></network>");
        let transient = first.create(transient, NetworkCreateFlags::empty()).await.expect("started");
        let plug = port("09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f");
        first.create_port(&nat, plug, PortCreateFlags::empty()).await.expect("plugged in");
        let pid = stand.dnsmasq("default");
        drop(first);

        // Another daemon finds both, the port and the same server.
        let second = stand.engine().await;
        assert!(second.is_active(&nat).expect("known") && second.is_active(&transient).expect("known"));
        assert_eq!(second.ports(&nat).expect("known").len(), 1);
        assert_eq!(stand.dnsmasq("default"), pid);
        drop(second);

        // The bridge was removed and the server killed while nobody looked.
        stand.delete_device("virbr7");
        stand.kill(pid.expect("it runs"));
        let third = stand.engine().await;
        assert_eq!(third.is_active(&transient).unwrap_err().code, ErrorCode::NoNetwork);
        assert!(third.is_active(&nat).expect("known"));
        assert!(stand.dnsmasq("default").is_some_and(|it| Some(it) != pid));
        third.destroy(&nat).await.expect("stopped");
    });
}

#[test]
fn a_server_that_dies_is_started_again() {
    alone(async {
        let stand = Stand::new();
        let engine = stand.engine().await;
        let it = engine.create(network(NAT), NetworkCreateFlags::empty()).await.expect("started");
        let pid = stand.dnsmasq("default").expect("it runs");
        stand.kill(pid);
        until(Duration::from_secs(10), || stand.dnsmasq("default").is_some_and(|it| it != pid)).await;
        engine.destroy(&it).await.expect("stopped");
        assert!(stand.dnsmasq("default").is_none());
    });
}

#[test]
fn changes_reach_what_runs_and_what_is_kept() {
    alone(async {
        let stand = Stand::new();
        let engine = stand.engine().await;
        let it = engine.define(network(NAT), NetworkDefineFlags::empty()).await.expect("defined");
        let host = section(SectionKind::IpDhcpHost, "<host mac='52:54:00:00:00:01' name='a' ip='192.168.122.9'/>");
        let add = UpdateCommand::AddLast;
        let refused = engine.update(&it, add, host.clone(), None, NetworkUpdateFlags::LIVE).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::OperationInvalid);
        engine.start(&it).await.expect("started");
        let pid = stand.dnsmasq("default");
        let both = NetworkUpdateFlags::LIVE | NetworkUpdateFlags::CONFIG;
        engine.update(&it, add, host, None, both).await.expect("changed");
        assert_eq!(stand.dnsmasq("default"), pid, "kept addresses are read anew, no more");
        let hosts = std::fs::read_to_string(stand.files().join("default.hostsfile")).expect("written");
        assert!(hosts.contains("52:54:00:00:00:01,192.168.122.9,a"), "{hosts}");
        let kept = std::fs::read_to_string(stand.definitions().join("default.xml")).expect("written");
        assert!(kept.contains("name='a'") && !kept.contains("1024"), "{kept}");
        let txt = section(SectionKind::DnsTxt, "<txt name='t' value='v'/>");
        engine.update(&it, add, txt, None, NetworkUpdateFlags::empty()).await.expect("changed");
        assert!(stand.dnsmasq("default").is_some_and(|it| Some(it) != pid), "its configuration is another");
        let live = engine.xml(&it, NetworkXmlFlags::empty()).expect("it has one");
        let config = engine.xml(&it, NetworkXmlFlags::INACTIVE).expect("it has one");
        assert!(live.dns.is_some() && config.dns.is_none());
        engine.destroy(&it).await.expect("stopped");
    });
}

#[test]
fn what_is_unique_stays_so() {
    alone(async {
        let stand = Stand::new();
        let engine = stand.engine().await;
        let text = |number: u32| {
            let ip = format!("<ip address='10.{number}.0.1' prefix='24'/>");
            network(&format!("<network><name>n{number}</name>{ip}</network>"))
        };
        // All at once: each gets a bridge of its own.
        let all = (0..8).map(|it| engine.create(text(it), NetworkCreateFlags::empty()));
        let all = futures_util::future::join_all(all).await;
        let all: Vec<_> = all.into_iter().map(|it| it.expect("started")).collect();
        let mut bridges: Vec<_> = all.iter().map(|it| engine.bridge_name(it).expect("it has one")).collect();
        bridges.sort();
        bridges.dedup();
        assert_eq!(bridges.len(), 8, "{bridges:?}");
        let again = network(&format!("<network><name>x</name><bridge name='{}'/></network>", bridges[0]));
        let error = engine.define(again, NetworkDefineFlags::empty()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InternalError);
        let twin = network("<network><name>n1</name></network>");
        let error = engine.define(twin, NetworkDefineFlags::empty()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::OperationFailed);
        // A network that is in the way of another one starts nothing, and leaves nothing.
        let error = engine
            .create(
                network("<network><name>y</name><ip address='10.1.0.1' prefix='24'/></network>"),
                NetworkCreateFlags::empty(),
            )
            .await
            .unwrap_err();
        assert!(error.message().contains("already in use"), "{error}");
        assert!(engine.lookup_by_name("y").is_err() && !stand.has_device("virbr8"));
        for it in &all {
            engine.destroy(it).await.expect("stopped");
        }
        assert!(engine.list(virtbus_api::flags::NetworkFilter::empty()).is_empty());
    });
}

#[test]
fn guests_plug_in_and_out() {
    alone(async {
        let stand = Stand::new();
        let engine = stand.engine().await;
        let it = engine.define(network(NAT), NetworkDefineFlags::empty()).await.expect("defined");
        let uuid = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f";
        let create = || engine.create_port(&it, port(uuid), PortCreateFlags::empty());
        assert_eq!(create().await.unwrap_err().code, ErrorCode::OperationInvalid);
        engine.start(&it).await.expect("started");
        let mut events = engine.events();
        let plugged = create().await.expect("plugged in");
        assert_eq!(create().await.unwrap_err().code, ErrorCode::NetworkPortExist);
        let told = NetworkEventKind::Ports(Arc::new(Turnover { come: vec![plugged.clone()], gone: Vec::new() }));
        assert_eq!(events.try_recv().expect("told").kind, told);
        let file = stand.run().join(format!("default/ports/{uuid}.xml"));
        let text = std::fs::read_to_string(&file).expect("written");
        assert!(text.contains("<plug type='network' bridge='virbr0'/>"), "{text}");
        assert_eq!(engine.xml(&it, NetworkXmlFlags::empty()).expect("it has one").connections, Some(1));
        let macs = std::fs::read_to_string(stand.files().join("virbr0.macs")).expect("written");
        assert!(macs.contains("52:54:00:11:22:33"), "{macs}");
        engine.delete_port(&plugged).await.expect("unplugged");
        let told = NetworkEventKind::Ports(Arc::new(Turnover { come: Vec::new(), gone: vec![plugged.clone()] }));
        assert_eq!(events.try_recv().expect("told").kind, told);
        assert!(!file.exists());
        assert_eq!(engine.delete_port(&plugged).await.unwrap_err().code, ErrorCode::NoNetworkPort);
        // What stays plugged in goes with the network.
        let left = create().await.expect("plugged in");
        let mut events = engine.events();
        engine.destroy(&it).await.expect("stopped");
        let told = NetworkEventKind::Ports(Arc::new(Turnover { come: Vec::new(), gone: vec![left] }));
        assert_eq!(events.try_recv().expect("told").kind, told);
    });
}

#[test]
fn hooks_are_told_and_may_refuse() {
    alone(async {
        let stand = Stand::new();
        let log = stand.hooks().join("log");
        let hook = format!(
            "#!/bin/sh\necho \"$@\" >> {log}\ncat > {log}.document\n[ ! -e {log}.no-$2 ] || {{ echo no $2 >&2; exit 1; }}\n",
            log = log.display()
        );
        std::fs::create_dir_all(stand.hooks()).expect("made");
        std::fs::write(stand.hooks().join("network"), hook).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(stand.hooks().join("network"), mode).expect("set");
        let refuse = |operation: &str, no: bool| {
            let file = stand.hooks().join(format!("log.no-{operation}"));
            if no { std::fs::write(file, "").expect("written") } else { std::fs::remove_file(file).expect("removed") }
        };
        let said = || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let _ = std::fs::remove_file(&log);
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let engine = stand.engine().await;
        let it = engine.define(network(NAT), NetworkDefineFlags::empty()).await.expect("defined");
        for operation in ["start", "started"] {
            refuse(operation, true);
            let refused = engine.start(&it).await.unwrap_err();
            assert_eq!(refused.code, ErrorCode::HookScriptFailed);
            assert!(refused.detail.contains(&format!("no {operation}")), "{refused}");
            assert!(!stand.has_device("virbr0") && stand.dnsmasq("default").is_none());
            assert!(!engine.is_active(&it).expect("defined"));
            refuse(operation, false);
        }
        let all = ["default start begin -", "default started begin -", "default stopped end -"];
        assert_eq!(said(), [&[all[0], all[2]][..], &all[..]].concat());
        engine.start(&it).await.expect("started");
        let uuid = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f";
        refuse("port-created", true);
        let refused = engine.create_port(&it, port(uuid), PortCreateFlags::empty()).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::HookScriptFailed);
        assert!(engine.ports(&it).expect("known").is_empty());
        refuse("port-created", false);
        let plugged = engine.create_port(&it, port(uuid), PortCreateFlags::empty()).await.expect("plugged in");
        let document = std::fs::read_to_string(stand.hooks().join("log.document")).expect("written");
        assert!(document.starts_with("<hookData>\n  <network connections='1'>"), "{document}");
        assert!(document.contains("\n  <networkport>\n") && document.ends_with("\n</hookData>"), "{document}");
        engine.delete_port(&plugged).await.expect("unplugged");
        engine.destroy(&it).await.expect("stopped");
        let ports = ["default port-created begin -", "default port-created begin -", "default port-deleted begin -"];
        assert_eq!(said(), [&all[..2], &ports[..], &all[2..]].concat());
    });
}
