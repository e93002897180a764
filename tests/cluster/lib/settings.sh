# shellcheck shell=bash
# Where things live and what they are called. Every path can be moved with an environment variable; the addresses cannot,
# because they exist only inside the nodes' own network namespaces and meet nothing else.

CACHE=${MSCTL_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/msctl/cluster}
STATE=${MSCTL_CLUSTER_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/msctl/cluster}
CNI_PLUGINS=${MSCTL_CLUSTER_CNI_PLUGINS:-/usr/lib/cni}

# An ordinary user's PATH may lack iptables and conntrack.
PATH=$PATH:/usr/sbin:/sbin

RUN=$STATE/run
LOGS=$STATE/logs
CERTS=$STATE/certs
CONFIG=$STATE/config
KUBECONFIG_FILE=$STATE/kubeconfig

CONTEXT=msctl-test
NODES=(node-a node-b)
CONTROL_NODE=node-a
API_ADDRESS=192.0.2.10
API_SERVER=https://$API_ADDRESS:6443
API_SERVICE_ADDRESS=10.96.0.1
SERVICE_RANGE=10.96.0.0/16
DNS_ADDRESS=10.96.0.10
POD_RANGE=10.244.0.0/16

PAUSE_IMAGE=localhost/msctl/pause:1

# What a node has for itself instead of the machine's.
NODE_FOLDERS=(/var/lib/containerd /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /etc/cni/net.d)

# Two clusters with different state folders do not share cgroups.
CGROUP=msctl-$(printf '%s' "$STATE" | sha256sum | cut -c1-8)

node_address() {
	case $1 in
	node-a) echo "$API_ADDRESS" ;;
	node-b) echo 192.0.2.11 ;;
	esac
}

node_pod_range() {
	case $1 in
	node-a) echo 10.244.0.0/24 ;;
	node-b) echo 10.244.1.0/24 ;;
	esac
}

node_peer() {
	case $1 in
	node-a) echo node-b ;;
	node-b) echo node-a ;;
	esac
}

node_zone() { echo "${1#node-}"; }

# The folder that holds a node's /var/lib/kubelet, /var/lib/containerd and so on.
node_home() { echo "$STATE/nodes/$1"; }
