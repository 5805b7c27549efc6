#!/usr/bin/python3
"""Record what an installed libvirt says on the wire, into the *.frames files beside this script.

Needs root, the reference (libvirtd, virsh, virt-admin, python3-libvirt) and qemu-system-x86_64. The reference runs in
mount, network and host-name namespaces of its own, so that nothing on the host is touched:

    record.py            run every scenario
    record.py NAME...    run those only

A proxy between client and daemon writes each frame down; see README.md for the format.
"""

import os, pathlib, shutil, socket, struct, subprocess, sys, threading, time

HERE = pathlib.Path(__file__).parent
DIR = pathlib.Path("/tmp/golden")
LARGEST = 6000  # bytes; longer frames are left out, so that the files stay small

MOUNTS = "/etc/libvirt /var/lib/libvirt /run/libvirt /var/cache/libvirt /var/log/libvirt"
DAEMON = f"""
for dir in {MOUNTS}; do mount -t tmpfs tmpfs $dir || exit 1; done
ip link set lo up; hostname golden
printf 'stdio_handler = "file"\\nuser = "root"\\ngroup = "root"\\nsecurity_driver = "none"\\n' > /etc/libvirt/qemu.conf
exec libvirtd -f {DIR}/libvirtd.conf -p {DIR}/pid
"""

NETWORK = "<network><name>net</name><uuid>11111111-2222-3333-4444-555555555501</uuid></network>"
POOL = f"""<pool type='dir'><name>pool</name><uuid>11111111-2222-3333-4444-555555555502</uuid>
<target><path>{DIR}/volumes</path></target></pool>"""
SECRET = """<secret ephemeral='yes' private='no'><uuid>11111111-2222-3333-4444-555555555503</uuid>
<usage type='ceph'><name>s</name></usage></secret>"""
FILTER = "<filter name='filter' chain='root'><uuid>11111111-2222-3333-4444-555555555504</uuid></filter>"
GUEST = f"""<domain type='qemu'><name>guest</name><uuid>11111111-2222-3333-4444-555555555505</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<controller type='pci' index='0' model='pcie-root'/><controller type='pci' index='1' model='pcie-root-port'/><memballoon model='none'/>
<serial type='pty'/><console type='pty'/><graphics type='vnc' socket='{DIR}/vnc'/><video><model type='vga'/></video>
</devices></domain>"""
SNAPSHOT = "<domainsnapshot><name>snap</name></domainsnapshot>"
NODEDEV = "<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'/></capability></device>"

TEST_DOMAIN = """
list --all; dominfo test; domstate test --reason; dumpxml test; domuuid test; domid test; version; uri; nodeinfo
freecell --all; nodememstats; vcpuinfo test; vcpupin test; schedinfo test; memtune test; blkiotune test; numatune test
domblkstat test vda; domifstat test vnet0; dommemstat test; domstats test; domcontrol test; domjobinfo test
suspend test; resume test; setmem test 1048576; setvcpus test 1; setmaxmem test 4194304; autostart test
desc test text; metadata test urn:x --set <a/> --key k; metadata test urn:x; domrename test test
iothreadinfo test; domfsinfo test; domfsfreeze test; domfsthaw test; domtime test; domdisplay test; ttyconsole test
guestinfo test; guestvcpus test; get-user-sshkeys test root; send-key test KEY_A; inject-nmi test
managedsave test; managedsave-remove test; start test; save test FILE; restore FILE; reboot test
dump test FILE2; domiftune test vnet0; blkdeviotune test vda; perf test; domhostname test; domifaddr test
cpu-models x86_64; shutdown test; start test; destroy test; undefine test; dumpxml absent; create absent.xml
"""
TEST_SNAPSHOT = f"""
snapshot-create test SNAPSHOT; snapshot-list test; snapshot-dumpxml test snap; snapshot-current test
snapshot-info test snap; snapshot-parent test snap; snapshot-revert test snap; snapshot-delete test snap
checkpoint-list test; checkpoint-create test
"""
TEST_NETWORK = """
net-list --all; net-info default; net-dumpxml default; net-define NETWORK; net-start net; net-autostart net
net-destroy net; net-undefine net; net-name 004b96e1-2d78-c30f-5aa5-f03c87d21e69; net-port-list default
net-dhcp-leases default; net-desc default; iface-list --all; iface-dumpxml eth1; iface-mac eth1; iface-begin
iface-rollback; iface-destroy eth1; iface-start eth1; nodedev-list; nodedev-dumpxml computer
nodedev-list --tree; nodedev-create NODEDEV; nwfilter-list
"""
TEST_STORAGE = """
pool-list --all; pool-info default-pool; pool-dumpxml default-pool; pool-define POOL; pool-build pool; pool-start pool
pool-refresh pool; pool-autostart pool; vol-create-as pool vol 1M; vol-list pool; vol-info vol pool
vol-dumpxml vol pool; vol-path vol pool; vol-key vol pool; vol-pool vol --pool pool; vol-clone vol vol2 --pool pool
vol-delete vol pool; pool-destroy pool; pool-undefine pool; pool-capabilities; vol-info absent --pool default-pool
"""
QEMU_STORAGE = """
pool-create POOL; vol-create-as pool vol 64K --format raw; vol-create-as pool small 512
vol-upload small SMALL --pool pool; vol-download small FILE3 --pool pool; vol-upload vol SPARSE --pool pool --sparse
vol-download vol FILE3 --pool pool --sparse
vol-delete small --pool pool
vol-resize vol 128K --pool pool; vol-wipe vol --pool pool; vol-info vol --pool pool --physical; pool-list --details
vol-delete vol --pool pool; pool-destroy pool
secret-define SECRET; secret-set-value 11111111-2222-3333-4444-555555555503 --file BLOB64
secret-get-value 11111111-2222-3333-4444-555555555503; secret-list; secret-undefine 11111111-2222-3333-4444-555555555503
nwfilter-define FILTER; nwfilter-list; nwfilter-dumpxml filter; nwfilter-undefine filter; nwfilter-binding-list
net-define NETWORK; net-update net add dns-host <host\\x20ip='10.0.0.1'><hostname>h</hostname></host> --config
net-metadata net urn:x --set <a/> --key k; net-undefine net; domxml-to-native qemu-argv GUEST; maxvcpus qemu
"""
QEMU_GUEST = """
create GUEST --paused; list; domdisplay guest; qemu-monitor-command guest {"execute":"query-status"}
qemu-monitor-command guest --hmp info\\x20status; screenshot guest FILE4; domcapabilities --virttype none
dominfo guest; seclabel guest; domstats guest; vcpupin guest; emulatorpin guest; domblklist guest
attach-device guest RNG; detach-device guest RNG; domjobinfo guest; domjobabort guest; perf guest --enable absent
qemu-agent-command guest {}; domsetlaunchsecstate guest; console-guest; graphics-guest; destroy guest
"""
ADMIN = """
srv-list; srv-threadpool-info libvirtd; srv-threadpool-set libvirtd --max-workers 21; srv-clients-list libvirtd
srv-clients-info libvirtd; dmn-log-info; dmn-log-filters --filters 3:rpc; dmn-log-filters; client-info libvirtd 1
srv-clients-set libvirtd --max-clients 4999; daemon-timeout --timeout 0; client-disconnect libvirtd 999; version
"""

EVENTS = """
import libvirt, sys, threading, time
libvirt.virEventRegisterDefaultImpl()
def run():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=run, daemon=True).start()
c = libvirt.open(sys.argv[1])
def register(i):
    try: return [c.domainEventRegisterAny(None, i, lambda *a: None, None)]
    except libvirt.libvirtError: return []
c.setKeepAlive(1, 3)
ids = sum(map(register, range(28)), [])
c.networkEventRegisterAny(None, 0, lambda *a: None, None)
c.storagePoolEventRegisterAny(None, 0, lambda *a: None, None)
c.storagePoolEventRegisterAny(None, 1, lambda *a: None, None)
c.nodeDeviceEventRegisterAny(None, 0, lambda *a: None, None)
d = c.lookupByName('test'); d.suspend(); d.resume(); d.setMetadata(0, 'x', None, None); d.destroy(); d.create()
n = c.networkLookupByName('default'); n.destroy(); n.create()
p = c.storagePoolLookupByName('default-pool'); p.refresh(); p.destroy(); p.create()
time.sleep(2.5)
for i in ids: c.domainEventDeregisterAny(i)
c.close()
"""

QEMU_EVENTS = """
import libvirt, libvirt_qemu, sys, threading, time
libvirt.virEventRegisterDefaultImpl()
def run():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=run, daemon=True).start()
c = libvirt.open(sys.argv[1])
nothing = lambda *a: None
for i in (0, 1, 15, 16, 18, 19): c.domainEventRegisterAny(None, i, nothing, None)
c.secretEventRegisterAny(None, 0, nothing, None); c.secretEventRegisterAny(None, 1, nothing, None)
c.networkEventRegisterAny(None, 0, nothing, None)
c.nodeDeviceEventRegisterAny(None, 0, nothing, None); c.nodeDeviceEventRegisterAny(None, 1, nothing, None)
s = c.secretDefineXML(open(sys.argv[2] + '/secret').read()); s.setValue(b'golden'); s.undefine()
n = c.networkDefineXML(open(sys.argv[2] + '/network').read()); n.create(); n.destroy(); n.undefine()
m = libvirt_qemu.qemuMonitorEventRegister(c, None, None, nothing, None)
d = c.createXML(open(sys.argv[2] + '/guest').read(), libvirt.VIR_DOMAIN_START_PAUSED)
rng = open(sys.argv[2] + '/rng').read()
d.attachDevice(rng); d.resume(); d.reset(); d.setMetadata(0, 'x', None, None); time.sleep(0.5); d.destroy()
libvirt_qemu.qemuMonitorEventDeregister(c, m); c.close()
"""

LEGACY = """
import libvirt, sys
c = libvirt.open(sys.argv[1])
c.numOfDomains(); c.listDomainsID(); c.listDefinedDomains(); c.listNetworks(); c.listStoragePools(); c.listInterfaces()
c.numOfNetworks(); c.numOfDefinedDomains(); c.numOfStoragePools(); c.getVersion(); c.getLibVersion(); c.getType()
c.getMaxVcpus(None); c.isSecure(); c.isEncrypted(); c.getCPUMap(); c.getFreeMemory(); c.getCPUStats(-1); c.getURI()
d = c.lookupByID(1); d.info(); d.maxMemory(); d.maxVcpus(); d.OSType(); d.isActive(); d.isPersistent(); d.isUpdated()
d.vcpus(); d.vcpuPinInfo(); d.schedulerType(); d.schedulerParameters(); d.snapshotNum(); d.snapshotListNames()
d.interfaceAddresses(0); d.getCPUStats(True); d.hasManagedSaveImage(); d.hasCurrentSnapshot(); d.autostart()
d.emulatorPinInfo(); d.fsInfo(); d.blockInfo('vda')
for call in (lambda: d.blockPeek('vda', 0, 16), lambda: d.memoryPeek(0, 16, 1), lambda: d.securityLabel(),
             lambda: d.migrateGetMaxSpeed(), lambda: c.baselineCPU(['<cpu/>']), lambda: c.compareCPU('<cpu/>')):
    try: call()
    except libvirt.libvirtError: pass
"""

GRAPHICS = "import libvirt, os, sys; os.close(libvirt.open(sys.argv[1]).lookupByName('guest').openGraphicsFD(0))"
CONSOLE = """
import libvirt, sys
c = libvirt.open(sys.argv[1]); s = c.newStream(0); c.lookupByName('guest').openConsole(None, s, 0)
s.send(b'x'); s.abort()
"""

TEST, QEMU = "test+unix:///default", "qemu+unix:///system"
SCENARIOS = {
    "test-domain": (TEST, TEST_DOMAIN), "test-snapshot": (TEST, TEST_SNAPSHOT), "test-network": (TEST, TEST_NETWORK),
    "test-storage": (TEST, TEST_STORAGE), "test-events": (TEST, EVENTS), "test-legacy": (TEST, LEGACY),
    "qemu-storage": (QEMU, QEMU_STORAGE), "qemu-events": (QEMU, QEMU_EVENTS), "qemu-guest": (QEMU, QEMU_GUEST),
    "admin": ("admin", ADMIN),
}


def exactly(sock, count):
    """`count` bytes and no more: reading ahead would lose descriptors. None at the end."""
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


class Recorder:
    """Listens on DIR/proxy, connects to `target`, and writes frames to `out` as they pass."""

    def __init__(self, target, out):
        self.target, self.out, self.lock = str(target), out, threading.Lock()
        path = DIR / "proxy"
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(self.target)
            threading.Thread(target=self.pump, args=(client, daemon, ">"), daemon=True).start()
            threading.Thread(target=self.pump, args=(daemon, client, "<"), daemon=True).start()

    def pump(self, source, sink, arrow):
        try:
            while word := exactly(source, 4):
                body = exactly(source, struct.unpack(">I", word)[0] - 4)
                if body is None:
                    break
                self.write(arrow, word + body)
                sink.sendall(word + body)
                if struct.unpack(">i", body[12:16])[0] in (4, 5):
                    for _ in range(struct.unpack(">I", body[24:28])[0]):
                        _, fds, _, _ = socket.recv_fds(source, 1, 1)
                        socket.send_fds(sink, [b"\0"], fds)
                        for fd in fds:
                            os.close(fd)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def write(self, arrow, frame):
        with self.lock:
            if len(frame) > LARGEST:
                self.out.write(f"# left out: {len(frame)} bytes\n")
            else:
                self.out.write(f"{arrow} {frame.hex()}\n")

    def title(self, text):
        with self.lock:
            self.out.write(f"# {text}\n")


def commands(text):
    return [it.strip() for it in text.replace("\n", ";").split(";") if it.strip()]


def words(command):
    """The words of a command; upper-case ones name files, \\x20 is a space inside a word."""
    made = {word: DIR / word.lower() for word in [*FILES, "SPARSE"]}
    return [str(made.get(word, word)).replace("\\x20", " ") for word in command.split()]


FILES = {"NETWORK": NETWORK, "POOL": POOL, "SECRET": SECRET, "FILTER": FILTER, "GUEST": GUEST, "SNAPSHOT": SNAPSHOT,
         "NODEDEV": NODEDEV, "RNG": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
         "SMALL": "golden" * 20, "BLOB64": "Z29sZGVu", "FILE": "", "FILE2": "", "FILE3": "", "FILE4": ""}


def scenario(name):
    uri, text = SCENARIOS[name]
    with open(HERE / f"{name}.frames", "w") as out:
        admin = uri == "admin"
        recorder = Recorder(DIR / ("libvirt-admin-sock" if admin else "libvirt-sock"), out)
        address = f"libvirtd:///system?socket={DIR}/proxy" if admin else f"{uri}?socket={DIR}/proxy&mode=legacy"
        shell = "virt-admin" if admin else "virsh"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL, "timeout": 60}
        if "import libvirt" in text:
            recorder.title("python")
            subprocess.run(["/usr/bin/python3", "-c", text, address, str(DIR)], **quiet | {"stderr": None})
        elif uri == TEST:
            # The test driver forgets with the connection, so all commands share one.
            lines = "\n".join(" ".join(f"'{it}'" for it in words(command)) for command in commands(text)) + "\n"
            recorder.title("virsh: " + "; ".join(commands(text)))
            del quiet["stdin"]
            subprocess.run(["virsh", "-c", address], input=lines.encode(), **quiet)
        else:
            for command in commands(text):
                recorder.title(command)
                script = {"console-guest": CONSOLE, "graphics-guest": GRAPHICS}.get(command)
                tool = ["/usr/bin/python3", "-c", script, address] if script else [shell, "-c", address, *words(command)]
                subprocess.run(tool, **quiet)
        time.sleep(0.3)
        recorder.listener.close()


def main():
    shutil.rmtree(DIR, ignore_errors=True)
    (DIR / "volumes").mkdir(parents=True)
    os.chmod(DIR, 0o777)
    for name, text in FILES.items():
        (DIR / name.lower()).write_text(text)
    with open(DIR / "sparse", "wb") as sparse:
        sparse.seek(16384)
        sparse.write(b"golden")
        sparse.truncate(65536)
    (DIR / "libvirtd.conf").write_text(
        f'unix_sock_dir = "{DIR}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\nlog_outputs = "3:file:{DIR}/log"\n')
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    daemon = subprocess.Popen(["unshare", "-mnu", "sh", "-c", DAEMON], env=clean)
    try:
        while not (DIR / "libvirt-admin-sock").exists():
            time.sleep(0.2)
        time.sleep(2)
        for name in sys.argv[1:] or SCENARIOS:
            scenario(name)
    finally:
        daemon.terminate()
        daemon.wait()


if __name__ == "__main__":
    main()
