# PCI functions of the host as a guest's: bound to vfio-pci as long as it runs, and to the host's driver again afterwards, also
# when the daemon is killed in between. A virtual function is held to the guest's address and VLAN.
modprobe -a igb igbvf e1000e vfio-pci vfio_iommu_type1
whole=/sys/bus/pci/devices/0000:01:00.0
ip link set $(ls $whole/net) up
echo 2 > $whole/sriov_numvfs
udevadm settle
install -d -m 777 /run/consoles
# A guest that runs its firmware, which says what it finds.
guest() {
    cat > /run/$1.xml <<X
<domain type='qemu'><name>$1</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type></os>
<devices><controller type='usb' model='none'/><memballoon model='none'/>$2
<serial type='file'><source path='/run/consoles/$1'/><target type='isa-debug' port='1'><model name='isa-debugcon'/></target>
<address type='isa' iobase='0x402'/></serial></devices></domain>
X
}
card() {
    echo "<interface type='hostdev' managed='$1'><mac address='52:54:00:00:04:01'/><source>" \
        "<address type='pci' domain='0' bus='$2' slot='$3' function='0'/></source>$4</interface>"
}
function_() {
    echo "<hostdev mode='subsystem' type='pci' managed='$1'><source>" \
        "<address domain='0' bus='$2' slot='$3' function='${4:-0}'/></source></hostdev>"
}
drivers() {
    for at in 0000:00:03.0 0000:01:10.0 0000:02:00.0 0000:02:01.0; do
        echo "  $at $(basename $(readlink /sys/bus/pci/devices/$at/driver || echo none))"
    done
}
# What a virtual function is held to; of an address that was made up only that it is the function's own.
held() {
    local said=$(ip link show $(ls $whole/net) | sed -n 's/.*vf 0 *link.ether \([^ ]*\) brd [^ ]* \(vlan [0-9]*\)\?.*/\1 \2/p')
    local own=$(cat /sys/bus/pci/devices/0000:01:10.0/net/*/address 2> /dev/null)
    [ -n "$own" ] && said=${said/$own/ITS-OWN}
    echo "  0000:01:10.0 is held to ${said:-nothing}"
    ls /run/libvirt/hostdevmgr 2> /dev/null | sed 's/^/  kept: /'
}
sees() {
    for try in $(seq 300); do grep -q "init bdf=.*id=$2" /run/consoles/$1 2> /dev/null && break; sleep 0.1; done
    grep -a -o "id=$2" /run/consoles/$1 | sed "s/^/$1's firmware finds /"
}
vlan="<vlan><tag id='42'/></vlan>"
guest vm "$(card yes 1 0x10 "$vlan")$(function_ yes 0 3)"
guest other "$(card yes 1 0x10)"
guest hand "$(function_ no 0 3)"
guest gone "$(function_ yes 9 3)"
guest half "$(function_ yes 2 0)"
guest both "$(function_ yes 2 0)$(function_ yes 2 1)"
guest bridge "$(function_ yes 0 4)"
guest trunk "$(card yes 1 0x10 "<vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan>")"
guest whole "$(card yes 0 3)"

begin_guests
try vm
drivers
held
virsh dumpxml vm | sed -n '/<interface/,/<.interface/p'
virsh resume vm > /dev/null
sees vm 8086:10ca
sees vm 8086:10d3
try other
kill_it
begin_guests
q domstate vm
try other
drivers
q destroy vm
drivers
held

for name in trunk whole hand gone half bridge; do try $name; done
drivers
[ "$WHO" = reference ] || held
try both
drivers
q destroy both
drivers

# What an administrator has detached by hand is neither detached nor given back.
bind() {
    echo ${2:-} > /sys/bus/pci/devices/$1/driver_override
    echo $1 > /sys/bus/pci/devices/$1/driver/unbind
    echo $1 > /sys/bus/pci/drivers_probe
}
bind 0000:00:03.0 vfio-pci
try hand
try other
drivers | head -n 2
kill_it
# The guest ends while no daemon runs.
kill -KILL $(pgrep -f guest=hand,) $(pgrep -f guest=other,)
begin_guests
q list --all
drivers | head -n 2
held
bind 0000:00:03.0

ip link set $(ls $whole/net) down
try other
held
drivers
finish
echo 0 > $whole/sriov_numvfs
