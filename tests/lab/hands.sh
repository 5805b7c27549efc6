# What the walks have in common. A walk is run twice: with WHO=reference and with WHO=ours; what it says on standard
# output has to be the same.

# Starts the storage daemon of WHO, waits for it, and ends it.
begin() {
    local socket=/run/libvirt/libvirt-sock
    [ "$WHO" = ours ] && socket=/run/libvirt/virtstoraged-sock
    if [ "$WHO" = ours ]; then
        /host/programs/virtstoraged > /run/daemon.log 2>&1 &
    else
        # Without QEMU's driver, which looks long at each QEMU first.
        mkdir -p /run/drivers
        cp -n /usr/lib/*/libvirt/connection-driver/libvirt_driver_{storage,secret}.so /run/drivers
        LIBVIRT_DRIVER_DIR=/run/drivers /usr/sbin/libvirtd > /run/daemon.log 2>&1 &
    fi
    daemon=$!
    for try in $(seq 300); do
        if [ -S $socket ] && raw uri > /dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "the daemon does not answer"
    cat /run/daemon.log
    exit 1
}
finish() { kill -TERM $daemon; wait $daemon; } 2> /dev/null
kill_it() { kill -KILL $daemon; wait $daemon; } 2> /dev/null

raw() {
    if [ "$WHO" = ours ]; then stdbuf -oL virsh -c storage:///system "$@"; else stdbuf -oL virsh -c storage:///system?mode=legacy "$@"; fi
}
# Keeps a command of virsh for [go], which shows it with what it said, less what is different each time. Starting virsh is
# what takes long here.
v() {
    local word line=
    for word; do case $word in *[!a-zA-Z0-9_./=:,-]*) line+="'$word' " ;; *) line+="$word " ;; esac; done
    queue+="echo '> $*'; $line; "
}
go() {
    local commands=$queue
    queue=
    raw "$commands" 2>&1 | tidy
}
tidy() {
    sed -E -e 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UUID/g' \
        -e 's/[A-Za-z0-9]{6}(-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}/LVM-UUID/g' \
        -e 's/Child process \(.*\) unexpected/Child process (COMMAND) unexpected/' \
        -e 's/[0-9]{10}\.[0-9]{9}/TIME/g' -e '/^$/d'
}

# Starts the daemon of WHO that has guests; $daemon is its number, as of [begin]'s.
begin_guests() {
    local socket=/run/libvirt/virtqemud-sock
    export LIBVIRT_DEFAULT_URI=qemu:///system
    if [ "$WHO" = ours ]; then
        /host/programs/virtqemud > /run/virtqemud.log 2>&1 &
    else
        socket=/run/libvirt/libvirt-sock
        mkdir -p /run/drivers
        cp -n /usr/lib/*/libvirt/connection-driver/libvirt_driver_{qemu,secret,network}.so /run/drivers
        # Nobody but virtlogd writes logs otherwise.
        echo 'stdio_handler = "file"' > /etc/libvirt/qemu.conf
        LIBVIRT_DRIVER_DIR=/run/drivers /usr/sbin/libvirtd > /run/virtqemud.log 2>&1 &
    fi
    daemon=$!
    for try in $(seq 300); do
        if [ -S $socket ] && virsh uri > /dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "the daemon does not answer"
    cat /run/virtqemud.log
    exit 1
}
# A command of virsh on guests, less the names of files; [try] starts one from /run.
q() {
    echo "> $*"
    virsh "$@" 2>&1 | sed -e 's, from /run/.*,,' -e 's/^\(error: .*group [0-9]* is not viable\).*/\1/' | tidy
}
try() { q create --paused /run/$1.xml | grep -v '^error: Failed to create'; }
