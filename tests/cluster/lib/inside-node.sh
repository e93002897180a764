#!/usr/bin/env bash
# Makes a fresh set of namespaces look like a machine of its own: inside-node.sh NAME HOME FOLDER...
set -euo pipefail

node=$1
home=$2
shift 2

hostname "$node"

mount --make-rshared /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run

for folder; do
	mkdir -p "$folder" "$home$folder"
	mount --bind "$home$folder" "$folder"
done

# No name server: what asks for a name outside the cluster is told no at once, and does not wait for an answer that cannot come.
resolv=$(readlink -m /etc/resolv.conf)
mkdir -p "${resolv%/*}"
[[ -e $resolv ]] || touch "$resolv"
echo 'nameserver 127.0.0.1' >/run/resolv.conf
mount --bind /run/resolv.conf "$resolv"

# The kubelet sets these for the whole kernel. It is shown files that hold what it wants, and the machine keeps its own values.
shadow() {
	local file=/run/sysctl/$1
	mkdir -p "${file%/*}"
	echo "$2" >"$file"
	mount --bind "$file" "/proc/sys/$1"
}
shadow vm/overcommit_memory 1
shadow vm/panic_on_oom 0
shadow kernel/panic 10
shadow kernel/panic_on_oops 1
shadow kernel/keys/root_maxkeys 1000000
shadow kernel/keys/root_maxbytes 25000000

# These belong to the network namespace. Without the bridge ones, an answer between two pods of one node skips the rewriting back.
echo 1 >/proc/sys/net/ipv4/ip_forward
for file in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables; do
	if [[ -e $file ]]; then echo 1 >"$file"; fi
done
ip link set lo up

# kube-proxy writes the rules of services again for every pod that comes or goes. The older interface of iptables exchanges a table
# whole. With nf_tables, Debian's default, one of some hundred thousand new connections met a chain that was not filled yet: its
# entry in conntrack had the service's own address as destination, and it ended with "No route to host" (4 of 20 runs of the
# rollout scenarios, none of 25 since).
legacy=$(command -v iptables-legacy) && nft=$(command -v iptables-nft) || nft=
if [[ -n $nft ]] && "$legacy" --table nat --list-rules >/dev/null 2>&1; then
	mount --bind "$(readlink -f "$legacy")" "$(readlink -f "$nft")"
fi
