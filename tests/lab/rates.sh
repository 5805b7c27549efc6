# Rates of a network and of cards, checksums of DHCP answers, VLANs of cards: what the kernel is told.
cat > /run/net.xml <<X
<network><name>lab</name><bridge name='virlab' stp='off'/><mac address='52:54:00:00:01:01'/>
<bandwidth><inbound average='1000' peak='5000' burst='5120'/><outbound average='800' peak='4000' burst='1024'/></bandwidth>
<ip address='192.168.150.1' netmask='255.255.255.0'><dhcp><range start='192.168.150.2' end='192.168.150.9'/></dhcp></ip></network>
X
card() {
    cat <<X
<interface type='network'><mac address='52:54:00:00:02:0$1'/><source network='lab'/><model type='virtio'/>
<bandwidth><inbound average='100' peak='500' burst='64' floor='50'/><outbound average='200' burst='128'/></bandwidth></interface>
X
}
cat > /run/guest.xml <<X
<domain type='qemu'><name>vm</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type></os>
<devices>$(card 1)<interface type='bridge'><mac address='52:54:00:00:02:02'/><source bridge='vlans'/><model type='virtio'/>
<vlan><tag id='42'/></vlan></interface>
<interface type='bridge'><mac address='52:54:00:00:02:03'/><source bridge='vlans'/><model type='virtio'/>
<vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='43'/></vlan></interface></devices></domain>
X
daemons=
run() {
    $programs/$1 > /run/$1.log 2>&1 &
    daemons="$daemons $!"
    for try in $(seq 600); do [ -S /run/libvirt/$2 ] && return; sleep 0.1; done
    cat /run/$1.log
    exit 1
}
net() { echo "> $*"; virsh -c network:///system "$@" 2>&1 | tidy; }
qemu() { echo "> $*"; virsh -c qemu:///system "$@" 2>&1 | tidy; }
# What the kernel does on a device, less numbers that it makes up.
rates() {
    echo "$1 sends:"
    { tc qdisc show dev $1; tc class show dev $1; tc filter show dev $1 parent 1:; } | kernel
    echo "$1 takes in:"
    tc filter show dev $1 ingress | kernel
}
kernel() { sed -E -e '/noqueue|fq_codel|pfifo_fast/d' -e 's/ index [0-9]+| ref [0-9]+| bind [0-9]+| installed .*//g' -e 's/[[:space:]]+$//'; }
programs=/host/programs
run virtnetworkd virtnetworkd-sock
net net-create /run/net.xml
rates virlab
echo "virlab fills in checksums:"
tc filter show dev virlab egress | kernel
ip link add vlans type bridge vlan_filtering 1
ip link set vlans up
modprobe -a tun vhost_net
run virtqemud virtqemud-sock
qemu create --paused /run/guest.xml
rates vnet0
rates virlab
for name in vnet1 vnet2; do bridge vlan show dev $name; done
net net-port-list lab
qemu destroy vm
rates virlab
net net-destroy lab
ip -br link show virlab 2>&1
ip link del vlans
kill $daemons
wait
