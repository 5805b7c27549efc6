"""Pools, volumes, secrets and networks by the calls that virsh does not make: the old lists, typed parameters, streams, events."""
import os
import threading

import libvirt

URI = os.environ["LIBVIRT_DEFAULT_URI"]
ROOT = os.environ["ROOT"]
libvirt.registerErrorHandler(lambda *_: None, None)
libvirt.virEventRegisterDefaultImpl()


def loop():
    while True:
        libvirt.virEventRunDefaultImpl()


threading.Thread(target=loop, daemon=True).start()
connection = libvirt.open(URI)
seen, more = [], threading.Condition()


def note(*what):
    with more:
        seen.append(what)
        more.notify()


def wait_for(*what):
    with more:
        assert more.wait_for(lambda: what in seen, 10), (what, seen)


def refused(code, call, *args):
    try:
        call(*args)
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, (error.get_error_code(), error)
        return
    raise AssertionError(f"{call} was not refused")


connection.storagePoolEventRegisterAny(
    None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, lambda _, pool, event, detail, __: note(pool.name(), event), None)
connection.secretEventRegisterAny(
    None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED, lambda _, secret, __: note(secret.usageID(), "set"), None)
connection.networkEventRegisterAny(
    None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, lambda _, net, event, detail, __: note(net.name(), event), None)

# Pools and volumes.
os.makedirs(f"{ROOT}/pools/old")
pool = connection.storagePoolDefineXML(
    f"<pool type='dir'><name>old</name><target><path>{ROOT}/pools/old</path></target></pool>")
assert (connection.numOfDefinedStoragePools(), connection.listDefinedStoragePools()) == (1, ["old"])
assert (connection.numOfStoragePools(), connection.listStoragePools()) == (0, [])
pool.create()
wait_for("old", libvirt.VIR_STORAGE_POOL_EVENT_STARTED)
assert connection.listStoragePools() == ["old"] and pool.isActive() and pool.isPersistent()
state, capacity, allocation, available = pool.info()
assert state == libvirt.VIR_STORAGE_POOL_RUNNING and capacity == allocation + available
assert connection.storagePoolLookupByTargetPath(f"{ROOT}/pools/old").UUID() == pool.UUID()
volume = pool.createXML("<volume><name>v</name><capacity>3000000</capacity></volume>")
assert (pool.numOfVolumes(), pool.listVolumes()) == (1, ["v"])
assert connection.storageVolLookupByKey(volume.key()).path() == volume.path() == f"{ROOT}/pools/old/v"
assert volume.storagePoolLookupByVolume().name() == "old"
data = bytes(range(256)) * 8000
stream = connection.newStream()
volume.upload(stream, 100, len(data))
stream.sendAll(lambda _, count, at: data[at[0]:(at.__setitem__(0, at[0] + count) or at[0])], [0])
stream.finish()
stream, got = connection.newStream(), bytearray()
volume.download(stream, 100, len(data))
stream.recvAll(lambda _, chunk, into: into.extend(chunk), got)
stream.finish()
assert bytes(got) == data
# An aborted download leaves the connection good.
stream = connection.newStream()
volume.download(stream, 0, 0)
stream.recv(10)
stream.abort()
assert volume.info()[1] == 3000000
refused(libvirt.VIR_ERR_NO_STORAGE_VOL, pool.storageVolLookupByName, "nothing")
refused(libvirt.VIR_ERR_OPERATION_INVALID, pool.undefine)
volume.delete()
pool.destroy()
pool.undefine()
wait_for("old", libvirt.VIR_STORAGE_POOL_EVENT_UNDEFINED)

# Secrets.
secret = connection.secretDefineXML("<secret><usage type='ceph'><name>key</name></usage></secret>")
assert (connection.numOfSecrets(), connection.listSecrets()) == (1, [secret.UUIDString()])
secret.setValue(b"\x00\xffbytes")
wait_for("key", "set")
assert secret.value() == b"\x00\xffbytes"
assert connection.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "key").UUID() == secret.UUID()
secret.undefine()
refused(libvirt.VIR_ERR_NO_SECRET, connection.secretLookupByUUIDString, secret.UUIDString())

# Networks and ports.
network = connection.networkDefineXML(
    "<network><name>old</name><bridge name='vtold0'/><ip address='192.168.78.1' netmask='255.255.255.0'/></network>")
assert (connection.numOfDefinedNetworks(), connection.listDefinedNetworks()) == (1, ["old"])
network.create()
wait_for("old", libvirt.VIR_NETWORK_EVENT_STARTED)
assert (connection.numOfNetworks(), connection.listNetworks()) == (1, ["old"])
assert network.bridgeName() == "vtold0" and network.DHCPLeases() == []
network.update(libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_PORTGROUP, -1,
               "<portgroup name='g' default='yes'/>", libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG)
assert "portgroup name='g'" in network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
port = network.portCreateXML(
    "<networkport><uuid>55555555-5555-5555-5555-555555555555</uuid><owner><name>o</name>"
    "<uuid>66666666-6666-6666-6666-666666666666</uuid></owner><mac address='52:54:00:00:00:09'/></networkport>")
assert [it.UUIDString() for it in network.listAllPorts()] == ["55555555-5555-5555-5555-555555555555"]
assert "bridge='vtold0'" in port.XMLDesc() and isinstance(port.parameters(), dict)
port.delete()
refused(libvirt.VIR_ERR_NO_NETWORK_PORT, network.portLookupByUUIDString, "55555555-5555-5555-5555-555555555555")
network.destroy()
network.undefine()
wait_for("old", libvirt.VIR_NETWORK_EVENT_UNDEFINED)
connection.close()
