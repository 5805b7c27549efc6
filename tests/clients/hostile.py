"""Documents and names made to hurt, by both doors: the same code comes back by RPC and by D-Bus, and every daemon lives.

What is taken has to be taken by both, and is removed again.
"""
import ctypes
import os
import time

import libvirt
from gi.repository import Gio, GLib

PATIENCE = 20
ROOT = os.environ["ROOT"]
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open(os.environ["LIBVIRT_DEFAULT_URI"])
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
OWNER = {"domain": "virtqemud", "network": "virtnetworkd", "pool": "virtstoraged", "volume": "virtstoraged",
         "secret": "virtstoraged"}

os.makedirs(f"{ROOT}/pools/hurt")
pool = connection.storagePoolCreateXML(
    f"<pool type='dir'><name>hurt</name><target><path>{ROOT}/pools/hurt</path></target></pool>")


def dbus(kind, member, *args, path="/org/libvirt/QEMU", interface="org.libvirt.Connect"):
    """0, or the code of the error."""
    form = "".join("u" if isinstance(it, int) else "s" for it in args)
    try:
        bus.call_sync(f"org.libvirt.{OWNER[kind]}", path, interface, member, GLib.Variant(f"({form})", args), None,
                      Gio.DBusCallFlags.NONE, PATIENCE * 1000, None)
        return 0
    except GLib.Error as error:
        name = Gio.DBusError.get_remote_error(error) or str(error)
        assert name.startswith("org.libvirt.Error."), (member, args[0][:100], name)
        return getattr(libvirt, "VIR_ERR_" + name.rpartition(".")[2])


def rpc(call, *args):
    try:
        call(*args)
        return 0
    except libvirt.libvirtError as error:
        return error.get_error_code()


POOL_PATH = "/org/libvirt/QEMU/storagepool/_" + pool.UUIDString().replace("-", "_")
DEFINE = {
    "domain": (connection.defineXML, ("DomainDefineXML",)),
    "network": (connection.networkDefineXML, ("NetworkDefineXML",)),
    "pool": (connection.storagePoolDefineXML, ("StoragePoolDefineXML", 0)),
    "secret": (connection.secretDefineXML, ("SecretDefineXML", 0)),
    "volume": (pool.createXML, ("StorageVolCreateXML", 0)),
}
LOOK_UP = {
    "domain": (connection.lookupByName, ("DomainLookupByName",)),
    "network": (connection.networkLookupByName, ("NetworkLookupByName",)),
    "pool": (connection.storagePoolLookupByName, ("StoragePoolLookupByName",)),
    "volume": (connection.storageVolLookupByPath, ("StorageVolLookupByPath",)),
}


def remove_all():
    for it in connection.listAllDomains() + connection.listAllNetworks():
        it.undefine()
    for it in connection.listAllStoragePools():
        if it.name() != "hurt":
            it.undefine()
    for it in connection.listAllSecrets():
        it.undefine()
    pool.refresh()
    for it in pool.listAllVolumes():
        it.delete()


def by_dbus(kind, member, document):
    member, *rest = member
    if kind == "volume" and member == "StorageVolCreateXML":
        return dbus(kind, member, document, *rest, path=POOL_PATH, interface="org.libvirt.StoragePool")
    return dbus(kind, member, document, *rest)


wrong = []


def check(kind, table, what, document, refused=True):
    call, member = table[kind]
    codes = []
    for door in (lambda: rpc(call, document), lambda: by_dbus(kind, member, document)):
        begun = time.monotonic()
        codes.append(door())
        if time.monotonic() - begun > PATIENCE / 2:
            wrong.append((kind, what, "takes long"))
        if codes[-1] == 0 and table is DEFINE:
            remove_all()
    if codes[0] != codes[1] or refused and 0 in codes:
        wrong.append((kind, what, codes))
    print(f"{kind} {what}: {codes[0]}")


DOMAIN = "<domain type='qemu'><name>x</name><memory>65536</memory>{}<os><type machine='q35'>hvm</type></os>{}</domain>"
PLAIN = {
    "domain": DOMAIN.format("<vcpu>1</vcpu>", ""),
    "network": "<network><name>x</name><bridge name='virhurt'/></network>",
    "pool": f"<pool type='dir'><name>x</name><target><path>{ROOT}/pools/x</path></target></pool>",
    "secret": "<secret ephemeral='no' private='no'><usage type='volume'><volume>x</volume></usage></secret>",
    "volume": "<volume><name>x</name><capacity>1024</capacity></volume>",
}
# What stands for the name, and whether it is one that nobody may have.
NAMES = {
    "two dots": ("..", True), "one dot": (".", True), "a slash": ("a/b", True), "a path": ("../../etc/passwd", True),
    "a line feed": ("a\nb", True), "a NUL": ("a&#0;b", True), "a control": ("a&#1;b", True), "nothing": ("", True),
    "300 letters": ("n" * 300, False), "1 MiB": ("n" * (1 << 20), False), "a tab": ("a\tb", False),
    "blanks": ("  ", False), "right to left": ("\u202ex\u0301", False), "an option": ("-name,x=y", False),
}
for kind, plain in PLAIN.items():
    for what, (name, refused) in NAMES.items():
        # Secrets are known by what they are for, which is any text; files of networks and pools have an ending.
        refused = refused and kind != "secret" and not (kind in ("network", "pool") and set(name) == {"."})
        named = plain.replace(">x<", f">{name}<", 1)
        check(kind, DEFINE, f"named with {what}", named, refused and (kind, what) != ("volume", "a line feed"))
    for what, (name, _) in NAMES.items():
        if kind in LOOK_UP and "&#" not in name:
            check(kind, LOOK_UP, f"looked for by {what}", name, refused=True)

# Each document around some text, or instead of it.
ENTITIES = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {name} '{f'&{of};' * 10}'>" for name, of in zip("bcdefghijk", "abcdefghij")) + "]>"
for kind, plain in PLAIN.items():
    inside = lambda text: plain.replace(f"</{kind}>", f"{text}</{kind}>")
    check(kind, DEFINE, "that is empty", "")
    check(kind, DEFINE, "that is no XML", "hello")
    check(kind, DEFINE, "of another kind", "<other/>")
    check(kind, DEFINE, "cut short", plain[:-3])
    check(kind, DEFINE, "10000 deep", f"<{kind}>" * 10000)
    check(kind, DEFINE, "10000 deep inside", inside("<a>" * 10000 + "</a>" * 10000))
    check(kind, DEFINE, "with a bomb", ENTITIES + inside("<description>&k;</description>"))
    check(kind, DEFINE, "with a file", "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>" +
          inside("<description>&f;</description>"), False)
    check(kind, DEFINE, "of 1 MiB", inside(f"<description>{'d' * (1 << 20)}</description>"), False)
    check(kind, DEFINE, "with 20000 attributes", inside("<a" + "".join(f" a{it}=''" for it in range(20000)) + "/>"), False)
    check(kind, DEFINE, "with a bad UUID", inside("<uuid>no-uuid</uuid>"), kind != "volume")

NUMBERS = ["-1", "4294967295", "4294967296", "18446744073709551616", "many", "0x7fffffff", "1e9", ""]
HURTS = {
    "domain": ["<vcpu>#</vcpu>", "<vcpu current='#'>1</vcpu>", "<vcpu cpuset='0-#'>1</vcpu>", "<iothreads>#</iothreads>",
               "<cpu><topology sockets='#' cores='#' threads='1'/></cpu>",
               "<cpu><numa><cell id='#' cpus='0' memory='1'/></numa></cpu>",
               "<memtune><hard_limit>#</hard_limit></memtune>", "<maxMemory slots='#'>1</maxMemory>"],
    "domain device": ["<controller type='pci' index='#' model='pcie-root-port'/>",
                      "<controller type='virtio-serial' ports='#'/>", "<controller type='usb' index='#'/>",
                      "<interface type='user'><mac address='#'/></interface>",
                      "<interface type='user'><driver queues='#'/><model type='virtio'/></interface>",
                      "<disk type='file'><source file='/x'/><target dev='sda' bus='scsi'/>"
                      "<address type='drive' controller='#' bus='0' target='0' unit='0'/></disk>",
                      "<hostdev mode='subsystem' type='pci'><source><address domain='#' bus='0' slot='0' function='0'/>"
                      "</source></hostdev>",
                      "<graphics type='vnc' port='#'/>", "<video><model type='vga' vram='#' heads='#'/></video>"],
    "network": ["<mtu size='#'/>", "<ip address='10.0.0.1' prefix='#'/>", "<bandwidth><inbound average='#'/></bandwidth>",
                "<forward mode='nat'><nat><port start='#' end='#'/></nat></forward>",
                "<ip address='10.0.0.1' netmask='255.0.0.0'><dhcp><range start='10.0.0.2' end='10.255.255.254'>"
                "<lease expiry='#'/></range></dhcp></ip>"],
    "pool": ["<target><path>/x</path><permissions><mode>#</mode><owner>#</owner></permissions></target>"],
    "volume": ["<capacity unit='#'>1</capacity>", "<allocation>#</allocation>",
               "<target><permissions><mode>#</mode></permissions></target>"],
}
# What stands once only and would be there twice.
ONCE = {"domain": "<vcpu>1</vcpu>", "pool": f"<target><path>{ROOT}/pools/x</path></target>",
        "volume": "<capacity>1024</capacity>"}
for kind, texts in HURTS.items():
    kind, _, device = kind.partition(" ")
    for text in texts:
        for number in NUMBERS:
            hurt = text.replace("#", number)
            if device:
                document = DOMAIN.format("", f"<devices>{hurt}</devices>")
            else:
                element = f"</{kind}>"
                once = ONCE.get(kind, "")
                first = hurt.split(">")[0].split(" ")[0].lstrip("<")
                drop = once if once.startswith(f"<{first}>") else ""
                document = PLAIN[kind].replace(drop, "") if drop else PLAIN[kind]
                document = document.replace(element, hurt + element)
            check(kind, DEFINE, f"with {text.replace('#', number or 'nothing')[:70]}", document, False)

# A device that is not there is a matter of the start.
hostdev = ("<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0xee' slot='0x1f' function='7'/>"
           "</source></hostdev>")
missing = DOMAIN.format("", f"<devices>{hostdev}</devices>")
codes = rpc(connection.createXML, missing), dbus("domain", "DomainCreateXML", missing, 0)
print(f"domain with a host device that is not there: {codes[0]}")
if codes[0] != codes[1] or 0 in codes:
    wrong.append(("domain", "a host device that is not there", codes))

# What is no UTF-8 comes through libvirt's own library; D-Bus lets none through.
library = ctypes.CDLL("libvirt.so.0")
for name in ("virConnectOpen", "virDomainDefineXML", "virNetworkDefineXML", "virStoragePoolDefineXML", "virSecretDefineXML",
             "virDomainLookupByName"):
    getattr(library, name).restype = ctypes.c_void_p
raw = ctypes.c_void_p(library.virConnectOpen(os.environ["LIBVIRT_DEFAULT_URI"].encode()))
assert raw
for kind, name, rest in (("domain", "virDomainDefineXML", ()), ("network", "virNetworkDefineXML", ()),
                         ("pool", "virStoragePoolDefineXML", (0,)), ("secret", "virSecretDefineXML", (0,))):
    for what, text in (("a lone byte", b"\xff"), ("half a letter", b"\xc3"), ("a surrogate", b"\xed\xa0\x80"),
                       ("an overlong slash", b"\xc0\xaf")):
        document = PLAIN[kind].encode().replace(b">x<", b">" + text + b"<", 1)
        found = getattr(library, name)(raw, document, *rest)
        code = 0 if found else library.virGetLastErrorCode()
        print(f"{kind} named with {what}: {code}")
        if code == 0:
            wrong.append((kind, what, "taken"))
assert not library.virDomainLookupByName(raw, b"\xff\xfe")
print(f"domain looked for by no UTF-8: {library.virGetLastErrorCode()}")

# All of them live.
assert connection.isAlive() and not connection.listAllDomains() and not connection.listAllSecrets()
assert [it.name() for it in connection.listAllStoragePools()] == ["hurt"] and not connection.listAllNetworks()
assert not wrong, "\n".join(map(str, wrong))
