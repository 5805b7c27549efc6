# A file server on this machine, over NFS 3 and 4.
serve() {
    touch /etc/exports
    mkfs.ext4 -q /dev/vde
    mount /dev/vde /srv
    mkdir -p /srv/one /srv/two /var/lib/nfs/v4recovery /var/lib/nfs/sm /var/lib/nfs/rpc_pipefs
    echo '/srv/one *(rw,no_root_squash,insecure,no_subtree_check)' > /etc/exports
    echo '/srv/two *(rw,no_root_squash,insecure,no_subtree_check)' >> /etc/exports
    touch /var/lib/nfs/etab /var/lib/nfs/rmtab /etc/netgroup
    modprobe nfsd
    mount -t nfsd nfsd /proc/fs/nfsd
    rpcbind
    exportfs -a
    rpc.nfsd -G 10 -L 10 2
    rpc.mountd
}
# Whether or not there is one.
unserve() {
    if [ -s /etc/exports ]; then
        # A client that waits for it holds what it has mounted.
        rpc.nfsd -G 10 -L 10 2
        for at in $(awk '$3 ~ "^nfs4?$" { print $2 }' /proc/mounts); do umount -l $at; done
        exportfs -ua
        rpc.nfsd 0
        pkill -x rpc.mountd
        pkill -x rpcbind
        umount /proc/fs/nfsd
        umount /srv
        : > /etc/exports
    fi
} 2> /dev/null
