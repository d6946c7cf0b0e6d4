#!/bin/sh
# Boots a root's own systemd in namespaces, as a host: packaging/host.sh ROOT NAME
#
# To be started by unshare with namespaces of its own for processes, mounts, names, IPC and cgroups, in a network namespace
# and a cgroup of its own; becomes that host's first process. Nothing of this machine is writable in it but ROOT: /dev is
# made anew, the kernel's settings are read-only.
set -eu
root=$1
hostname "$2"
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 dev/tty c 5 0
mknod -m 600 dev/console c 1 3 # what blocks here blocks the first process
[ ! -e proc/sysrq-trigger ] || mount --bind dev/null proc/sysrq-trigger
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ip link set lo up
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=pgmesh PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
