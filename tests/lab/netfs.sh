# A pool on a file server.
pool() {
    cat > /run/pool.xml <<X
<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>$1</name>
<source><host name='127.0.0.1'/><dir path='$2'/><format type='nfs'/>$3</source><target><path>/mnt/$1</path></target>$4</pool>
X
}
mounted() { awk '$2 ~ "^/mnt/" { print $1, $2, $3, $4 }' /proc/mounts | sed -E 's/port=[0-9]+|rsize=[0-9]+|wsize=[0-9]+/N/g'; }
serve 2> /dev/null
begin
v find-storage-pool-sources netfs
v find-storage-pool-sources-as netfs 127.0.0.1
go
pool nfs /srv/one
v pool-define /run/pool.xml
v pool-start nfs
v pool-build nfs
v pool-start nfs
v pool-dumpxml nfs
go
mounted
v vol-create-as nfs a.img 8M --allocation 0
v vol-create-as nfs b.qcow2 64M --format qcow2
v vol-list nfs --details
v vol-dumpxml b.qcow2 nfs
go
head -c 3000000 /dev/urandom > /run/data
v vol-upload a.img /run/data --pool nfs
v vol-download a.img /run/back --pool nfs --length 3000000
go
cmp /run/data /run/back && echo "byte for byte"
cmp -n 3000000 /run/data /srv/one/a.img && echo "on the server"
v vol-resize a.img 16M --pool nfs
v vol-wipe a.img nfs
v vol-delete b.qcow2 nfs
go
pool again /srv/one
v pool-define /run/pool.xml
go
pool three /srv/two "<protocol ver='3'/>"
v pool-create --build /run/pool.xml
v pool-dumpxml three
go
mounted
v pool-destroy three
go
pool opts /srv/two "<protocol ver='4.2'/>" "<fs:mount_opts><fs:option name='noatime'/><fs:option name='soft'/></fs:mount_opts>"
v pool-create --build /run/pool.xml
v pool-dumpxml opts
go
mounted
v pool-destroy opts
go
pool absent /srv/absent
v pool-create --build /run/pool.xml
v pool-autostart nfs
go
kill_it
begin
v vol-list nfs
v pool-destroy nfs
go
mounted
finish
# As after a boot: pools start with the host once.
rm -rf /run/libvirt
begin
for try in $(seq 100); do raw pool-info nfs | grep -q running && break; sleep 0.2; done
v vol-list nfs
v vol-delete a.img nfs
v pool-destroy nfs
v pool-delete nfs
v pool-undefine nfs
go
ls /mnt
finish
