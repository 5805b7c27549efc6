# The lifecycle with events, by libvirt-python.
import threading
import time

import libvirt

seen = []
libvirt.virEventRegisterDefaultImpl()


def loop():
    while True:
        libvirt.virEventRunDefaultImpl()


threading.Thread(target=loop, daemon=True).start()
libvirt.registerErrorHandler(lambda _context, _error: None, None)

connection = libvirt.open(None)
assert connection.getType() == "QEMU", connection.getType()
assert connection.getLibVersion() > 0 and connection.getVersion() > 0
assert connection.isAlive() == 1
connection.setKeepAlive(5, 3)


def lifecycle(_connection, domain, event, detail, _opaque):
    seen.append((domain.name(), event, detail))


everything = connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, None)


def wait_for(*expected):
    end = time.time() + 20
    while time.time() < end:
        if seen == list(expected):
            del seen[:]
            return
        time.sleep(0.01)
    raise SystemExit(f"expected the events {expected}, saw {seen}")


def refused(code, call, *args):
    try:
        call(*args)
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, (error.get_error_code(), error.get_error_message())
        return error
    raise SystemExit(f"{call} was not refused")


E = libvirt
domain = connection.defineXML(open("vm.xml").read())
wait_for(("vm", E.VIR_DOMAIN_EVENT_DEFINED, E.VIR_DOMAIN_EVENT_DEFINED_ADDED))
domain = connection.defineXML(domain.XMLDesc(E.VIR_DOMAIN_XML_INACTIVE))
wait_for(("vm", E.VIR_DOMAIN_EVENT_DEFINED, E.VIR_DOMAIN_EVENT_DEFINED_UPDATED))
assert domain.isPersistent() == 1 and domain.isActive() == 0 and domain.ID() == -1
assert connection.lookupByUUID(domain.UUID()).name() == "vm"
assert connection.lookupByUUIDString(domain.UUIDString()).name() == "vm"
assert connection.numOfDefinedDomains() == 1 and connection.listDefinedDomains() == ["vm"]

domain.createWithFlags(E.VIR_DOMAIN_START_PAUSED)
wait_for(
    ("vm", E.VIR_DOMAIN_EVENT_STARTED, E.VIR_DOMAIN_EVENT_STARTED_BOOTED),
    ("vm", E.VIR_DOMAIN_EVENT_SUSPENDED, E.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
)
assert domain.state() == [E.VIR_DOMAIN_PAUSED, E.VIR_DOMAIN_PAUSED_USER], domain.state()
domain.resume()
wait_for(("vm", E.VIR_DOMAIN_EVENT_RESUMED, E.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED))
domain.suspend()
wait_for(("vm", E.VIR_DOMAIN_EVENT_SUSPENDED, E.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED))
state, maximum, memory, cpus, cpu_time = domain.info()
assert (state, maximum, memory, cpus) == (E.VIR_DOMAIN_PAUSED, 196608, 196608, 1), domain.info()
assert domain.maxMemory() == 196608 and domain.maxVcpus() == 1 and domain.OSType() == "hvm"
assert [it.name() for it in connection.listAllDomains(E.VIR_CONNECT_LIST_DOMAINS_ACTIVE)] == ["vm"]
assert connection.numOfDomains() == 1 and connection.listDomainsID() == [domain.ID()]
assert connection.lookupByID(domain.ID()).name() == "vm"
refused(E.VIR_ERR_OPERATION_INVALID, domain.create)

reset = []
one = connection.domainEventRegisterAny(domain, E.VIR_DOMAIN_EVENT_ID_REBOOT, lambda *it: reset.append(it), None)
domain.reset(0)
connection.domainEventDeregisterAny(one)

domain.destroy()
wait_for(
    ("vm", E.VIR_DOMAIN_EVENT_SHUTDOWN, E.VIR_DOMAIN_EVENT_SHUTDOWN_HOST),
    ("vm", E.VIR_DOMAIN_EVENT_STOPPED, E.VIR_DOMAIN_EVENT_STOPPED_DESTROYED),
)
assert domain.state() == [E.VIR_DOMAIN_SHUTOFF, E.VIR_DOMAIN_SHUTOFF_DESTROYED], domain.state()
refused(E.VIR_ERR_OPERATION_INVALID, domain.destroy)
domain.setAutostart(1)
assert domain.autostart() == 1
domain.undefine()
wait_for(("vm", E.VIR_DOMAIN_EVENT_UNDEFINED, E.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED))
refused(E.VIR_ERR_NO_DOMAIN, connection.lookupByName, "vm")
refused(E.VIR_ERR_NO_DOMAIN, domain.isActive)
refused(E.VIR_ERR_XML_DETAIL, connection.defineXML, "<domain>")

domain = connection.createXML(open("vm.xml").read(), E.VIR_DOMAIN_START_PAUSED)
wait_for(
    ("vm", E.VIR_DOMAIN_EVENT_STARTED, E.VIR_DOMAIN_EVENT_STARTED_BOOTED),
    ("vm", E.VIR_DOMAIN_EVENT_SUSPENDED, E.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
)
assert domain.isPersistent() == 0
domain.destroy()
wait_for(
    ("vm", E.VIR_DOMAIN_EVENT_SHUTDOWN, E.VIR_DOMAIN_EVENT_SHUTDOWN_HOST),
    ("vm", E.VIR_DOMAIN_EVENT_STOPPED, E.VIR_DOMAIN_EVENT_STOPPED_DESTROYED),
)
connection.domainEventDeregisterAny(everything)
connection.close()

reader = libvirt.openReadOnly(None)
refused(E.VIR_ERR_OPERATION_DENIED, reader.defineXML, open("vm.xml").read())
reader.close()
