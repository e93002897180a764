# shellcheck shell=bash
# What runs, as a table; exit status 0 only when all of it does.

node_agents() { printf '%s\n' containerd kubelet kube-proxy; }

control_processes() { printf '%s\n' etcd kube-apiserver kube-controller-manager kube-scheduler; }

# Every process that a healthy cluster has, by the name it is recorded under.
cluster_processes() {
	local node
	for node in "${NODES[@]}"; do
		echo "$node"
		if [[ $node == "$CONTROL_NODE" ]]; then control_processes | sed "s/^/$node./"; fi
		node_agents | sed "s/^/$node./"
	done
}

processes_healthy() {
	local name
	while read -r name; do
		process_alive "$name" || return 1
	done < <(cluster_processes)
}

nodes_ready() {
	local ready
	ready=$(kubectl_admin get nodes --request-timeout=5s \
		--output 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}') &&
		(($(grep -cx True <<<"$ready") == ${#NODES[@]}))
}

# By the pods themselves. Those that went with their node are remembered as ready: a container is no older than its node.
addons_ready() {
	local node started ready count=0
	while read -r node started ready; do
		[[ $ready == True && ! $started < $(node_started "$node") ]] && ((count += 1))
	done < <(kubectl_admin --namespace kube-system get pods --selector k8s-app=kube-dns --request-timeout=5s --output \
		'jsonpath={range .items[*]}{.spec.nodeName} {.status.containerStatuses[0].state.running.startedAt} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')
	((count == 2))
}

dns_answers() { network_of "$CONTROL_NODE" timeout 2 bash -c ": </dev/tcp/$DNS_ADDRESS/53"; }

cluster_healthy() { processes_healthy && nodes_ready && addons_ready && dns_answers; }

cluster_status() {
	packages_require_root status
	local name healthy=0
	printf '%-36s %-9s %s\n' PROCESS PID LOG
	while read -r name; do
		printf '%-36s %-9s %s\n' "$name" "$(process_pid "$name" || echo dead)" "$LOGS/$name.log"
	done < <(cluster_processes)
	echo
	cluster_healthy || healthy=1
	if process_alive "$CONTROL_NODE" && [[ -f $KUBECONFIG_FILE ]]; then
		kubectl_admin get nodes --output wide --label-columns topology.kubernetes.io/zone --request-timeout=5s || true
		echo
		kubectl_admin --namespace kube-system get pods --output wide --request-timeout=5s || true
		echo
	fi
	printf 'kubeconfig  %s (context %s)\nlogs        %s\nparts       %s\n' "$KUBECONFIG_FILE" "$CONTEXT" "$LOGS" "$CACHE/bin"
	if ((healthy == 0)); then echo 'healthy     yes'; else echo 'healthy     no'; fi
	return "$healthy"
}
