# shellcheck shell=bash
# etcd, the API server, the controller manager and the scheduler: processes of node-a.

# Disk flushes are left out: a test cluster that loses its machine is made anew.
etcd_start() {
	node_process "$CONTROL_NODE" etcd "$(part_bin etcd etcd)" \
		--data-dir="$STATE/etcd" \
		--listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
		--listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
		--initial-cluster=default=http://127.0.0.1:2380 \
		--unsafe-no-fsync --log-level=warn
}

# Without InternalIP first, exec, logs and port-forward would look the nodes' names up, and time out.
api_server_start() {
	node_process "$CONTROL_NODE" kube-apiserver "$(part_bin kubernetes kube-apiserver)" \
		--advertise-address="$API_ADDRESS" --secure-port=6443 --allow-privileged=true \
		--etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range="$SERVICE_RANGE" \
		--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
		--client-ca-file="$CERTS/ca.crt" --tls-cert-file="$CERTS/apiserver.crt" --tls-private-key-file="$CERTS/apiserver.key" \
		--kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$CERTS/ca.crt" \
		--kubelet-client-certificate="$CERTS/apiserver-kubelet-client.crt" --kubelet-client-key="$CERTS/apiserver-kubelet-client.key" \
		--service-account-issuer=https://kubernetes.default.svc.cluster.local \
		--service-account-key-file="$CERTS/service-accounts.pub" --service-account-signing-key-file="$CERTS/service-accounts.key" \
		--requestheader-client-ca-file="$CERTS/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
		--requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
		--requestheader-extra-headers-prefix=X-Remote-Extra- \
		--proxy-client-cert-file="$CERTS/front-proxy-client.crt" --proxy-client-key-file="$CERTS/front-proxy-client.key"
}

# The raised limits keep a rollout's time its own: with the defaults, many at once wait for the controllers' turn to speak.
controller_manager_start() {
	kubeconfig_write kube-controller-manager "$CONFIG/kube-controller-manager.kubeconfig"
	node_process "$CONTROL_NODE" kube-controller-manager "$(part_bin kubernetes kube-controller-manager)" \
		--kubeconfig="$CONFIG/kube-controller-manager.kubeconfig" --leader-elect=false \
		--use-service-account-credentials=true --cluster-cidr="$POD_RANGE" --allocate-node-cidrs=false \
		--service-account-private-key-file="$CERTS/service-accounts.key" --root-ca-file="$CERTS/ca.crt" \
		--cluster-signing-cert-file="$CERTS/ca.crt" --cluster-signing-key-file="$CERTS/ca.key" \
		--kube-api-qps=100 --kube-api-burst=200
}

scheduler_start() {
	kubeconfig_write kube-scheduler "$CONFIG/kube-scheduler.kubeconfig"
	cat >"$CONFIG/kube-scheduler.yaml" <<-YAML
		apiVersion: kubescheduler.config.k8s.io/v1
		kind: KubeSchedulerConfiguration
		leaderElection:
		  leaderElect: false
		clientConnection:
		  kubeconfig: $CONFIG/kube-scheduler.kubeconfig
		  qps: 100
		  burst: 200
	YAML
	node_process "$CONTROL_NODE" kube-scheduler "$(part_bin kubernetes kube-scheduler)" --config="$CONFIG/kube-scheduler.yaml"
}

# The administrator's kubectl, from node-a's network.
kubectl_admin() {
	network_of "$CONTROL_NODE" "$(part_bin kubernetes kubectl)" --kubeconfig="$KUBECONFIG_FILE" "$@"
}

api_server_ready() { kubectl_admin get --raw /readyz --request-timeout=5s; }
