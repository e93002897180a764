# shellcheck shell=bash
# From whatever is there (nothing, a half-made cluster, the remains of a crash) to a cluster that works.

cluster_up() {
	local loading volumes
	packages_require_root up
	lock_take
	packages_ensure
	parts_ensure
	images_ensure
	state_renew_if_stale
	if [[ -f $RUN/up ]] && cluster_healthy; then
		volumes_reclaim
		say "the cluster is up already"
		return
	fi
	mkdir -p "$RUN" "$LOGS" "$CONFIG"
	rm -f "$RUN/up"
	certificates_ensure
	nodes_up
	control_plane_up
	addons_apply
	volumes_ensure &
	volumes=$!
	agents_up
	addons_up
	wait "$volumes" || fail "the volumes could not be made"
	volumes_reclaim
	wait "$loading" || fail "loading the cluster's images failed"
	wait_until 60 "all of it to be healthy (see: $0 status)" cluster_healthy
	touch "$RUN/up"
	say "the cluster is up: kubeconfig $KUBECONFIG_FILE, context $CONTEXT"
	say "run commands in its network with: $0 exec -- kubectl get nodes"
}

nodes_up() {
	local node
	for node in "${NODES[@]}"; do node_start "$node"; done
	nodes_connect
	for node in "${NODES[@]}"; do containerd_start "$node"; done
}

# The images are brought in while the API server is busy starting.
control_plane_up() {
	local node
	etcd_start
	api_server_start
	kubeconfig_write admin "$KUBECONFIG_FILE"
	for node in "${NODES[@]}"; do wait_until 60 "containerd of $node" containerd_ready "$node"; done
	images_load_own pause coredns &
	loading=$!
	wait_until 120 "the API server" api_server_ready
	say "the API server is ready"
	controller_manager_start
	scheduler_start
	wait "$loading" || fail "loading the cluster's images failed"
	# Nothing of the cluster's own needs these; its pods come up meanwhile.
	images_load_own jaeger postgres &
	loading=$!
}

agents_up() {
	local node started=() now
	now=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
	for node in "${NODES[@]}"; do
		process_alive "$node.kubelet" || started+=("$node")
		kubelet_start "$node"
		kube_proxy_start "$node"
	done
	for node in "${started[@]}"; do wait_until 90 "$node to report" node_reported "$node" "$now"; done
	kubectl_admin wait node --all --for=condition=Ready --timeout=90s >"$LOGS/nodes.log" 2>&1 || fail "the nodes are not Ready after 90 s" "logs: $LOGS"
	say "both nodes are Ready"
}

# Before the nodes are there, so that their first pods wait for them and not the other way round.
addons_apply() {
	wait_until 60 "kube-system" kubectl_admin get namespace kube-system
	kubectl_admin apply --server-side --force-conflicts --filename "$HERE/manifests" >"$LOGS/addons.log" 2>&1 ||
		fail "applying the add-ons failed" "log: $LOGS/addons.log"
}

addons_up() {
	kubectl_admin --namespace kube-system rollout status deployment/coredns --timeout=120s >>"$LOGS/addons.log" 2>&1 ||
		fail "CoreDNS is not ready after 120 s" "see: $0 exec -- kubectl -n kube-system describe pods"
	wait_until 60 "the default service account" kubectl_admin get serviceaccount default
}

# A node that is Ready may be so from before a crash; one whose kubelet has reported since it was started is there now.
node_reported() {
	local reported
	reported=$(kubectl_admin get node "$1" --output 'jsonpath={.status.conditions[?(@.type=="Ready")].lastHeartbeatTime}') &&
		[[ ! $reported < $2 ]]
}

# What was made before the machine started, or by other scripts, is not worth repairing once its nodes are gone.
state_renew_if_stale() {
	local stamp node
	stamp=$(state_stamp)
	[[ -f $STATE/made-by && $(<"$STATE/made-by") == "$stamp" ]] && return
	for node in "${NODES[@]}"; do
		if node_alive "$node"; then
			say "the running cluster was made by other scripts or parts; \`$0 down\` and \`$0 up\` renew it"
			return
		fi
	done
	state_remove
	mkdir -p "$STATE"
	echo "$stamp" >"$STATE/made-by"
}

state_stamp() {
	echo "$(</proc/sys/kernel/random/boot_id) $(cd "$HERE" && find . -type f ! -name '*.md' -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16)"
}
