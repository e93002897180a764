# shellcheck shell=bash
# Ends what `up` started and removes what it made. The caches and the last logs stay.

cluster_down() {
	packages_require_root down
	lock_take
	state_remove
	say "the cluster is down; parts and images stay in $CACHE"
}

# With a node's first process the kernel ends all the others of that node, its pods among them, and drops its mounts and links.
state_remove() {
	local node
	for node in "${NODES[@]}"; do process_kill "$node"; done
	cgroups_remove
	rm -rf "$RUN" "$CERTS" "$CONFIG" "$KUBECONFIG_FILE" "$STATE/etcd" "$STATE/nodes" "$STATE/made-by"
}
