# A TPM whose state is encrypted with a secret of the storage daemon's, and what becomes of the state when its guest goes.
uuid=11111111-2222-3333-4444-555555555555
secret=66666666-7777-8888-9999-000000000000
cat > /run/bus.conf <<X
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth><policy context='default'>
<allow user='*'/><allow own='*'/><allow send_type='method_call'/><allow receive_type='method_call'/>
<allow send_type='signal'/><allow receive_type='signal'/><allow send_requested_reply='true' send_type='method_return'/>
<allow send_requested_reply='true' send_type='error'/></policy></busconfig>
X
mkdir -p /run/dbus
dbus-daemon --config-file=/run/bus.conf --fork --print-pid > /run/bus.pid
[ "$WHO" = reference ] || { /host/programs/virtstoraged > /run/virtstoraged.log 2>&1 & }
guest() {
    cat > /run/$1.xml <<X
<domain type='qemu'><name>vm</name><uuid>$uuid</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type></os>
<devices><controller type='usb' model='none'/><memballoon model='none'/>
<tpm model='tpm-tis'><backend type='emulator' version='2.0' $3>$2</backend></tpm></devices></domain>
X
}
encryption="<encryption secret='$secret'/>"
guest encrypted "$encryption"
guest kept "$encryption" "persistent_state='yes'"
cat > /run/secret.xml <<X
<secret ephemeral='no' private='yes'><uuid>$secret</uuid><usage type='vtpm'><name>vm</name></usage></secret>
X
secret_is() { echo -n $1 > /run/value; q secret-set-value $secret --plain --file /run/value; }
state() {
    local file=$(find /var/lib/libvirt/swtpm -name 'tpm2-00.permall' 2> /dev/null)
    [ -z "$file" ] && echo "  no state" && return
    # What is encrypted begins with a header of its own, whose flags say so.
    python3 - $file <<X
import struct, sys
flags = struct.unpack('>H', open(sys.argv[1], 'rb').read(10)[4:6])[0]
print('  state', 'encrypted' if flags & 1 else 'open')
X
}
q() {
    echo "> $*"
    virsh "$@" 2>&1 | sed -e 's/^\(error: internal error: \).*\(tpm-emulator: .*\)/\1\2/' | tidy
}
begin_guests
q define /run/encrypted.xml
q start vm --paused
q secret-define /run/secret.xml
secret_is passphrase
q start vm --paused
tr '\0' ' ' < /proc/$(pgrep -x swtpm)/cmdline | grep -o 'key [^ ]*' | sed 's/fd=[0-9]*/fd=N/g'
state
kill_it
begin_guests
q domstate vm
q destroy vm
state
q start vm --paused
q destroy vm
secret_is another
q start vm --paused
state
secret_is passphrase
q start vm --paused
q destroy vm
echo "- what goes"
q undefine vm --tpm --keep-tpm
q undefine vm --keep-tpm
state
cp -a /var/lib/libvirt/swtpm /run/made
again() { rm -rf /var/lib/libvirt/swtpm; cp -a /run/made /var/lib/libvirt/swtpm; }
q define /run/encrypted.xml
q undefine vm
state
again
q define /run/kept.xml
q undefine vm
state
q define /run/kept.xml
q undefine vm --tpm
state
again
q create /run/encrypted.xml --paused
q destroy vm
state
again
q create /run/kept.xml --paused
q destroy vm
state
q define /run/encrypted.xml
q start vm --paused
q undefine vm --keep-tpm
state
q destroy vm
state
again
q define /run/kept.xml
q start vm --paused
q undefine vm --tpm
state
q destroy vm
state
q list --all
finish
kill $(cat /run/bus.pid)
