# shellcheck shell=bash
# Ends what `up` started and removes what it made. The caches and the last logs stay.

cluster_down() {
	packages_require_root down
	lock_take
	state_remove
	say "the cluster is down; parts and images stay in $CACHE"
}

processes_gone() {
	local name
	while read -r name; do
		process_gone "$name" || return 1
	done < <(cluster_processes)
}

# With a node's first process the kernel ends all the others of that node, its pods among them, and drops its mounts and links.
state_remove() {
	local node
	for node in "${NODES[@]}"; do process_kill "$node"; done
	wait_until 20 "the nodes' processes to end" processes_gone
	cgroups_remove "/$CGROUP"
	# The machine's own empty NODE_FOLDERS stay: removing one detaches the mount that a node of another cluster has on it.
	rm -rf "$RUN" "$CERTS" "$CONFIG" "$KUBECONFIG_FILE" "$STATE/etcd" "$STATE/nodes" "$VOLUMES" "$STATE/made-by"
}
