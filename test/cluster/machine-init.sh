#!/bin/bash
# The first process of a machine of the cluster, in namespaces of its own (network, mounts, processes): when it ends,
# the kernel ends everything on the machine and forgets its mounts.
#
#   machine-init.sh STATE    STATE: the folder of this machine
set -euo pipefail
state=$1

# Mounts made here are seen by pods of this machine, and by nobody else. Without -n, mount(8) would take notes under
# the /run of the real machine.
mount -n --make-rshared /
mount -n -t proc proc /proc
mount -n -t tmpfs -o mode=0755 run /run
mkdir -p "$state/var/lib/kubelet" "$state/var/log"
mount -n --bind "$state/var/lib" /var/lib
mount -n --bind "$state/var/log" /var/log

echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects

touch "$state/booted"

# Waiting is also what takes away processes that nobody else waits for: the shims of containers become children of
# this one.
while :; do
  sleep 3600 &
  wait $!
done
