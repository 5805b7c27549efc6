# Pools on a file system of a device, and on a disk's partitions.
cat > /run/fs.xml <<X
<pool type='fs'><name>fs</name><source><device path='/dev/vda'/><format type='ext4'/></source><target><path>/mnt/fs</path></target></pool>
X
cat > /run/disk.xml <<X
<pool type='disk'><name>disk</name><source><device path='/dev/vdb'/><format type='gpt'/></source><target><path>/dev</path></target></pool>
X
begin
v pool-define /run/fs.xml
v pool-start fs
v pool-build fs
v pool-build fs --no-overwrite
v pool-build fs --no-overwrite
v pool-start fs
v vol-create-as fs a.img 8M --allocation 0
v vol-create-as fs b.qcow2 64M --format qcow2 --backing-vol a.img --backing-vol-format raw
v vol-list fs
v vol-dumpxml b.qcow2 fs
go
awk '$2 == "/mnt/fs" { print $1, $3, $4 }' /proc/mounts
v pool-autostart fs
go
kill_it
begin
v vol-list fs
v pool-destroy fs
go
grep -c /mnt/fs /proc/mounts
v pool-start fs
v vol-delete b.qcow2 fs
v vol-delete a.img fs
v pool-destroy fs
v pool-delete fs
v pool-undefine fs
v pool-define /run/disk.xml
v pool-start disk
v pool-build disk
v pool-build disk
v pool-start disk
v pool-dumpxml disk
v vol-create-as disk vdb1 20M
v vol-create-as disk vdb2 10M --format linux-swap
v vol-create-as disk other 10M
v vol-create-as disk vdb9 1G
v vol-list disk
v vol-dumpxml vdb1 disk
v vol-dumpxml vdb2 disk
v pool-info --bytes disk
v pool-dumpxml disk
go
head -c 1000000 /dev/urandom > /run/data
v vol-upload vdb1 /run/data --pool disk
v vol-download vdb1 /run/back --pool disk --length 1000000
go
cmp /run/data /run/back && echo "byte for byte"
v vol-wipe vdb1 disk
go
cmp -n 20971520 /dev/vdb1 /dev/zero && echo "wiped"
v vol-delete vdb1 disk
v vol-list disk
v pool-refresh disk
v pool-info --bytes disk
v vol-delete vdb2 disk
v pool-destroy disk
v pool-delete disk
v pool-undefine disk
go
finish
