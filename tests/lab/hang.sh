# A file server that does not answer any more. Only ours: the reference waits for it without end.
cat > /run/pool.xml <<X
<pool type='netfs'><name>nfs</name><source><host name='127.0.0.1'/><dir path='/srv/one'/><format type='nfs'/></source>
<target><path>/mnt/nfs</path></target></pool>
X
# Whether a command of virsh ends in so many seconds, and how.
within() {
    local seconds=$1 before=$SECONDS
    shift
    if timeout 120 virsh -c storage:///system "$@" > /run/said 2>&1; then how=done; else how=refused; fi
    [ $((SECONDS - before)) -le $seconds ] || how="$how after $((SECONDS - before)) s"
    echo "> $*: $how"
    tidy < /run/said
}
serve 2> /dev/null
begin
v pool-create --build /run/pool.xml
v vol-create-as nfs a.img 8M --allocation 0
v pool-create-as local dir --target /mnt/local --build
go
rpc.nfsd 0
virsh -c storage:///system pool-refresh nfs > /run/refresh 2>&1 &
refresh=$!
sleep 1
within 7 vol-create-as local b.img 1M
within 7 pool-refresh local
within 7 pool-info nfs
within 7 vol-list nfs
within 7 pool-list --all
wait $refresh
tidy < /run/refresh
within 7 pool-info nfs
within 20 vol-create-as nfs c.img 1M
kill_it
begin
within 7 vol-list local
for try in $(seq 100); do raw pool-info nfs | grep -q inaccessible && break; sleep 0.2; done
within 7 pool-info nfs
within 40 pool-destroy nfs
grep -c /mnt/nfs /proc/mounts
rpc.nfsd -G 10 -L 10 2
within 60 pool-create /run/pool.xml
within 7 vol-list nfs
rpc.nfsd 0
within 40 pool-destroy nfs
within 7 pool-list --all
rpc.nfsd -G 10 -L 10 2
v pool-destroy local
go
finish
