# shellcheck shell=bash
# A node is a process (`pause`, as its init) with mount, pid, network, ipc and host name namespaces of its own. All of the node's
# processes, pods and mounts live in there, so the end of that one process is the end of them all, and nothing of it is ever
# visible on the machine's own network or mount table.

node_start() {
	local node=$1
	node_alive "$node" && return
	process_kill "$node"
	say "$node: starting"
	# The kubelet would wait for each container that it finds a cgroup of.
	cgroups_remove "$(node_cgroup "$node")"
	cgroups_create "$node"
	rm -f "$RUN/$node.ready" "$RUN/$node".*.pid
	mkdir -p "$(node_home "$node")"
	process_start "$node" unshare --mount --uts --ipc --net --pid --propagation private --fork --kill-child=KILL \
		"$(part_bin pause pause)"
	wait_until 10 "$node's namespaces" node_has_init "$node"
	node_enter "$node" bash "$HERE/lib/inside-node.sh" "$node" "$(node_home "$node")" "${NODE_FOLDERS[@]}"
	touch "$RUN/$node.ready"
}

node_alive() { [[ -f $RUN/$1.ready ]] && process_alive "$1"; }

# In the form of the API's times, which can be compared as texts.
node_started() { date --utc --reference="$RUN/$1.ready" +%Y-%m-%dT%H:%M:%SZ; }

node_has_init() { pgrep --parent "$(process_pid "$1")"; }

# Runs a command as a process of the node. (Not `ip netns exec`: it would mount a /sys without cgroups.)
node_enter() {
	local node=$1 pid
	shift
	pid=$(process_pid "$node") || fail "$node is not running"
	nsenter --target "$pid" --mount --uts --ipc --net --pid="/proc/$pid/ns/pid_for_children" -- "$@"
}

# node_process NODE NAME COMMAND...: a long-running process of the node; it ends with the one that is recorded for it here.
node_process() {
	local node=$1 name=$2 pid
	shift 2
	process_alive "$node.$name" && return
	pid=$(process_pid "$node") || fail "$node is not running"
	process_start "$node.$name" nsenter --target "$pid" --mount --uts --ipc --net --pid="/proc/$pid/ns/pid_for_children" -- \
		setpriv --pdeathsig KILL -- "$@"
}

# The veth pair is born inside the namespaces; if either node was lost, the pair went with it.
nodes_connect() {
	local a b
	a=$(process_pid node-a) b=$(process_pid node-b)
	if ! network_of node-a ip link show eth0 &>/dev/null || ! network_of node-b ip link show eth0 &>/dev/null; then
		ip link add eth0 netns "$a" type veth peer name eth0 netns "$b"
	fi
	node_configure_link node-a
	node_configure_link node-b
}

# Nothing answers behind the default route. It is there because kube-proxy rewrites an address only after a route was found for it.
node_configure_link() {
	local peer
	peer=$(node_peer "$1")
	network_of "$1" ip -batch - <<-BATCH
		addr replace $(node_address "$1")/24 dev eth0
		link set eth0 up
		route replace default dev eth0
		route replace $(node_pod_range "$peer") via $(node_address "$peer")
	BATCH
}

# Runs a command of the machine in the node's network and nothing else of it.
network_of() {
	local node=$1 pid
	shift
	pid=$(process_pid "$node") || fail "$node is not running"
	nsenter --target "$pid" --net -- "$@"
}
