# A pool on LVM, from a bare disk and back.
pool() {
    cat > /run/pool.xml <<X
<pool type='logical'><name>$1</name><source>$3<name>$2</name><format type='lvm2'/></source><target><path>/dev/$2</path></target></pool>
X
}
volume() {
    cat > /run/volume.xml <<X
<volume><name>$1</name><capacity unit='MiB'>$2</capacity>$3</volume>
X
}
begin
v find-storage-pool-sources logical
go
pool lvm vglab "<device path='/dev/vda'/><device path='/dev/vdb'/>"
v pool-define /run/pool.xml
v pool-dumpxml lvm
v pool-start lvm
v pool-build lvm
v pool-build lvm
v pool-build lvm --overwrite
v find-storage-pool-sources logical
v pool-start lvm
v pool-info --bytes lvm
v pool-dumpxml lvm
v pool-dumpxml lvm --inactive
v vol-list lvm
go
volume one 20
v vol-create lvm /run/volume.xml
v vol-dumpxml one lvm
v vol-info one lvm
v vol-path one lvm
v vol-key one lvm
v vol-pool /dev/vglab/one
go
volume thin 40 "<allocation unit='MiB'>8</allocation>"
v vol-create lvm /run/volume.xml
v vol-dumpxml thin lvm
go
volume snap 20 "<allocation unit='MiB'>12</allocation><backingStore><path>/dev/vglab/one</path></backingStore>"
v vol-create lvm /run/volume.xml
v vol-dumpxml snap lvm
v vol-dumpxml one lvm
go
volume owned 5 "<target><permissions><mode>0640</mode><owner>65534</owner><group>65534</group></permissions></target>"
v vol-create lvm /run/volume.xml
v vol-dumpxml owned lvm
v vol-create lvm /run/volume.xml
v vol-create-as lvm huge 5G
v vol-create-as lvm odd 1000003
v vol-dumpxml odd lvm
v vol-create-as lvm typed 8M --format qcow2
v vol-create-as lvm 'bad name' 8M
v vol-create-as lvm -- -x 8M
v vol-delete typed lvm
v pool-refresh lvm
v vol-list lvm --details
for name in one thin snap owned odd; do v vol-dumpxml $name lvm; done
go
head -c 5000000 /dev/urandom > /run/data
v vol-upload one /run/data --pool lvm
v vol-download one /run/back --pool lvm --length 5000000
go
cmp /run/data /run/back && echo "byte for byte"
head -c 3000 /run/data > /run/part
v vol-upload one /run/part --pool lvm --offset 1048577
v vol-download one /run/back --pool lvm --offset 1048577 --length 3000
go
cmp /run/part /run/back && echo "byte for byte"
v vol-resize one 30M --pool lvm
v vol-clone one copy --pool lvm
go
cmp /dev/vglab/one /dev/vglab/copy && echo "copied"
v vol-dumpxml copy lvm
v vol-wipe one lvm
go
cmp -n 20971520 /dev/vglab/one /dev/zero && echo "wiped"
cmp -n 5000000 /dev/vglab/snap /dev/zero && echo "the snapshot keeps what was"
v vol-wipe thin lvm
v vol-delete one lvm
v vol-delete snap lvm
v vol-delete one lvm
v vol-list lvm
# LVM's own tools change it behind the daemon.
go
lvcreate --yes -q -n behind -L 8M vglab > /dev/null 2>&1
lvcreate --yes -q -i 2 -n striped -L 16M vglab > /dev/null 2>&1
lvcreate --yes -q --type thin-pool -n tp -L 40M vglab > /dev/null 2>&1
lvcreate --yes -q -V 100M --thinpool tp -n tv vglab > /dev/null 2>&1
lvcreate --yes -q -m 1 -n mirrored -L 8M vglab > /dev/null 2>&1
lvcreate --yes -q -n off -L 8M vglab > /dev/null 2>&1; lvchange -an vglab/off
lvchange --addtag x vglab/behind > /dev/null 2>&1
v pool-refresh lvm
v vol-list lvm
for name in behind striped tv mirrored; do v vol-dumpxml $name lvm; done
v pool-autostart lvm
go
kill_it
begin
v pool-info --bytes lvm
v vol-list lvm
go
finish
vgchange -q -an vglab > /dev/null 2>&1
begin
v pool-list --all
go
finish
rm -rf /run/libvirt
begin
for try in $(seq 100); do raw pool-info lvm | grep -q running && break; sleep 0.2; done
v pool-info --bytes lvm
v vol-list lvm
v pool-destroy lvm
v pool-dumpxml lvm
go
lvs --noheadings -o lv_name,lv_active vglab 2>/dev/null
v pool-list --all
v pool-start lvm
v pool-delete lvm
v pool-destroy lvm
v pool-delete lvm
v pool-start lvm
v pool-undefine lvm
go
pool gone vgmissing ""
v pool-create /run/pool.xml
go
pool made vgmade "<device path='/dev/vdc'/>"
v pool-create --build /run/pool.xml
v pool-dumpxml made
v vol-create-as made a 4M
v pool-list --all --details
go
vgrename vgmade vgother > /dev/null 2>&1
v pool-refresh made
v pool-list --all
go
vgremove -q -f vgother > /dev/null 2>&1
pool used vgused "<device path='/dev/vdd'/>"
mkfs.ext4 -q /dev/vdd
v pool-define /run/pool.xml
v pool-build used
v pool-build used --no-overwrite
v pool-build used --overwrite
v pool-delete used
v pool-undefine used
go
finish
