# Control groups, version 2: what a guest's document limits stands in its group's files and threads; the group is another
# daemon's after kill -9 and goes with the guest.
cat > /run/vm.xml <<X
<domain type='qemu'><name>vm</name><memory unit='MiB'>32</memory><vcpu cpuset='0-1'>2</vcpu><iothreads>1</iothreads>
<cputune><shares>200</shares><period>50000</period><quota>20000</quota>
<global_period>60000</global_period><global_quota>30000</global_quota>
<emulator_period>70000</emulator_period><emulator_quota>35000</emulator_quota>
<iothread_period>80000</iothread_period><iothread_quota>40000</iothread_quota>
<vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='0'/><iothreadpin iothread='1' cpuset='1'/></cputune>
<memtune><hard_limit unit='MiB'>700</hard_limit><soft_limit unit='MiB'>600</soft_limit></memtune>
<blkiotune><weight>300</weight>
<device><path>/dev/vda</path><read_bytes_sec>1000000</read_bytes_sec><write_iops_sec>50</write_iops_sec></device></blkiotune>
<numatune><memory mode='strict' nodeset='0'/></numatune>
<os><type machine='q35'>hvm</type></os>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
X
in_partition() { sed "s,<os>,<resource><partition>$1</partition></resource>&," /run/vm.xml > /run/$2.xml; }
in_partition prod relative
in_partition /prod prod
in_partition /prod/web nested
cat > /run/pinned.xml <<X
<domain type='qemu'><name>vm</name><memory unit='MiB'>32</memory><vcpu>2</vcpu>
<cputune><vcpupin vcpu='0' cpuset='1'/></cputune><os><type machine='q35'>hvm</type></os>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
X
# The files that limit something, by group, and where each thread is and may run.
groups() {
    local group file
    for group in $(find /sys/fs/cgroup -type d -path '*qemu*' | sort); do
        echo "  $group" | sed 's/qemu-[0-9]*/qemu-N/'
        for file in cpu.weight cpu.max cpuset.cpus.effective cpuset.mems.effective memory.max memory.high io.weight io.max; do
            [ -e $group/$file ] && echo "    $file $(cat $group/$file)"
        done
    done
    local thread pid=$(pgrep -f guest=vm,)
    for thread in /proc/$pid/task/*; do
        echo "  thread '$(cat $thread/comm)' in $(sed 's,.*/,,' $thread/cgroup) on $(sed -n 's/Cpus_allowed_list:\t//p' $thread/status)"
    done | sort -u
    virsh dumpxml vm | sed -n '/<resource/,/<.resource/p'
}
left() { find /sys/fs/cgroup -mindepth 1 -type d | sort; }
begin_guests
try vm
groups
kill_it
begin_guests
q domstate vm
q destroy vm
left
try relative
try prod
left
mkdir -p /sys/fs/cgroup/prod.partition/web.partition
try nested
groups | grep -e qemu -e partition
kill_it
# It ends while no daemon runs.
kill -KILL $(pgrep -f guest=vm,)
begin_guests
q list --all
left
rmdir /sys/fs/cgroup/prod.partition/web.partition /sys/fs/cgroup/prod.partition
# Pins alone.
try pinned
groups | grep "thread 'CPU" | sed 's/ in [^ ]*//'
q destroy vm
finish
