# shellcheck shell=bash
# What runs on every node: containerd, the pod network, the kubelet and kube-proxy. Each has its own /var/lib and /run there.
# The files of what runs already are left as they are: kube-proxy ends when its configuration is written again.

containerd_start() {
	local node=$1
	process_alive "$node.containerd" && return
	containerd_configure >"$CONFIG/containerd.toml"
	mkdir -p "$(node_home "$node")/etc/cni/net.d"
	pod_network_configure "$node" >"$(node_home "$node")/etc/cni/net.d/10-msctl.conflist"
	node_process "$node" containerd containerd --config "$CONFIG/containerd.toml"
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE a sandbox may not lower its score, and would fail to start.
containerd_configure() {
	cat <<-TOML
		version = 2
		disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$PAUSE_IMAGE"
		  restrict_oom_score_adj = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		  bin_dir = "$CNI_PLUGINS"
		  conf_dir = "/etc/cni/net.d"
	TOML
}

pod_network_configure() {
	cat <<-JSON
		{
		  "cniVersion": "1.0.0",
		  "name": "msctl",
		  "plugins": [
		    {
		      "type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": false, "hairpinMode": true,
		      "ipam": {
		        "type": "host-local",
		        "ranges": [[{"subnet": "$(node_pod_range "$1")"}]],
		        "routes": [{"dst": "0.0.0.0/0"}]
		      }
		    },
		    {"type": "portmap", "capabilities": {"portMappings": true}}
		  ]
		}
	JSON
}

containerd_ready() { node_enter "$1" ctr version; }

kubelet_start() {
	local node=$1
	process_alive "$node.kubelet" && return
	kubeconfig_write "$node" "$CONFIG/$node.kubeconfig"
	kubelet_configure "$node" >"$CONFIG/$node.kubelet.yaml"
	node_process "$node" kubelet "$(part_bin kubernetes kubelet)" \
		--config="$CONFIG/$node.kubelet.yaml" --kubeconfig="$CONFIG/$node.kubeconfig" \
		--node-ip="$(node_address "$node")" --node-labels="topology.kubernetes.io/zone=$(node_zone "$node")"
}

kubelet_configure() {
	cat <<-YAML
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication:
		  anonymous: {enabled: false}
		  webhook: {enabled: true}
		  x509: {clientCAFile: $CERTS/ca.crt}
		authorization: {mode: Webhook}
		tlsCertFile: $CERTS/$1.crt
		tlsPrivateKeyFile: $CERTS/$1.key
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		clusterDNS: [$DNS_ADDRESS]
		clusterDomain: cluster.local
		resolvConf: /run/resolv.conf
		volumePluginDir: /var/lib/kubelet/volume-plugins
		cgroupDriver: cgroupfs
		cgroupRoot: $(node_cgroup "$1")
		failCgroupV1: false
		failSwapOn: false
		# The disk is the developer's, who decides how full it may be.
		evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
		imageGCHighThresholdPercent: 100
		serializeImagePulls: false
		kubeAPIQPS: 100
		kubeAPIBurst: 200
		eventRecordQPS: 0
		nodeStatusUpdateFrequency: 5s
	YAML
}

kube_proxy_start() {
	local node=$1
	process_alive "$node.kube-proxy" && return
	kubeconfig_write kube-proxy "$CONFIG/kube-proxy.kubeconfig"
	cat >"$CONFIG/$node.kube-proxy.yaml" <<-YAML
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: iptables
		hostnameOverride: $node
		clusterCIDR: $POD_RANGE
		# The connection table's size is the machine's, not this network namespace's to set.
		conntrack: {maxPerCore: 0, min: 0}
		clientConnection: {kubeconfig: $CONFIG/kube-proxy.kubeconfig}
	YAML
	node_process "$node" kube-proxy "$(part_bin kubernetes kube-proxy)" --config="$CONFIG/$node.kube-proxy.yaml"
}
