# After a walk: no daemon, nothing mounted, empty disks.
[ -z "$(jobs -p)" ] || kill -KILL $(jobs -p) 2> /dev/null
unserve
for at in $(awk '$2 ~ "^/mnt/" { print $2 }' /proc/mounts); do umount -l $at; done
vgremove -q -y -ff $(vgs --noheadings -o vg_name 2> /dev/null) > /dev/null 2>&1
wipefs -q -a /dev/vd? 2> /dev/null
rm -rf /run/libvirt /etc/libvirt /var/lib/libvirt /mnt/*
exit 0
