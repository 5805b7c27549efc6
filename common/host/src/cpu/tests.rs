//! Layouts from made-up sysfs trees, and this machine's own.

use super::*;

/// Id, socket, core, node.
type Place = (u32, u32, u32, u32);

/// Writes a sysfs tree.
fn tree(cpus: &[Place]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let write = |name: String, text: String| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text + "\n").expect("written");
    };
    let join = |ids: Vec<u32>| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let ids = |wanted: &dyn Fn(&Place) -> bool| join(cpus.iter().filter(|cpu| wanted(cpu)).map(|cpu| cpu.0).collect());
    write("cpu/online".into(), ids(&|_| true));
    write("cpu/present".into(), ids(&|_| true));
    for (id, socket, core, node) in cpus {
        let topology = format!("cpu/cpu{id}/topology");
        write(format!("{topology}/physical_package_id"), socket.to_string());
        write(format!("{topology}/core_id"), core.to_string());
        write(format!("{topology}/die_id"), "-1".into());
        write(format!("{topology}/core_cpus_list"), ids(&|cpu| (cpu.1, cpu.2) == (*socket, *core)));
        write(format!("node/node{node}/cpulist"), ids(&|cpu| cpu.3 == *node));
    }
    root
}

#[test]
fn regular_hosts_have_their_shape() {
    let host = tree(&[
        (0, 0, 0, 0),
        (1, 0, 1, 0),
        (2, 1, 0, 1),
        (3, 1, 1, 1),
        (4, 0, 0, 0),
        (5, 0, 1, 0),
        (6, 1, 0, 1),
        (7, 1, 1, 1),
    ]);
    let topology = Topology::read_from(host.path());
    assert_eq!(topology.shape(), Shape { nodes: 2, sockets: 1, cores: 2, threads: 2, cpus: 8 });
    assert_eq!(topology.cpus[4].siblings, BTreeSet::from([0, 4]));
    assert_eq!((topology.cpus[6].node, topology.cpus[6].die), (1, 0));
}

#[test]
fn irregular_hosts_are_flat() {
    // A hybrid: one core with two threads, one with one.
    let host = tree(&[(0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 1, 0)]);
    let shape = Topology::read_from(host.path()).shape();
    assert_eq!(shape, Shape { nodes: 1, sockets: 1, cores: 3, threads: 1, cpus: 3 });
    assert_eq!(Topology::default().shape().cores, 1);
}

#[test]
fn times_are_summed_as_libvirt_does() {
    let text = "cpu  100 20 30 400 50 6 7 0 0 0\ncpu0 100 20 30 400 50 6 7 0 0 0\nintr 5\n";
    let (all, each) = times_in(text).expect("parses");
    assert_eq!(all.user, Duration::from_millis(1200));
    assert_eq!(all.system, Duration::from_millis(430));
    assert_eq!((all.idle, all.iowait), (Duration::from_secs(4), Duration::from_millis(500)));
    assert_eq!(each.get(&0), Some(&all));
    assert!(times_in("intr 5\n").is_none());
}

#[test]
fn clocks_are_read() {
    assert_eq!(mhz_in("model name\t: X\ncpu MHz\t\t: 2596.098\n"), Some(2596));
    assert_eq!(mhz_in("clock\t\t: 3800.000000MHz\n"), Some(3800));
    assert_eq!(mhz_in("cpu MHz\t: fast\n"), None);
}

#[test]
fn this_host_answers() {
    let topology = Topology::read();
    assert!(!topology.cpus.is_empty() && topology.online().is_subset(&topology.present));
    assert!(!architecture().is_empty());
    assert!(!times().expect("readable").1.is_empty());
}
