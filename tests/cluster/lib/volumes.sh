# shellcheck shell=bash
# Volumes of the StorageClass `local`: folders of the nodes, made beforehand, because nothing here makes one on demand.

VOLUMES=$STATE/volumes
VOLUMES_PER_NODE=16

volume_folder() { echo "$VOLUMES/$1"; }

volume_names() {
	local node number
	for node in "${NODES[@]}"; do
		for ((number = 0; number < VOLUMES_PER_NODE; number++)); do printf '%s %s-%02d\n' "$node" "$node" "$number"; done
	done
}

# One `apply` for all. Who has claimed a volume is the API server's to say, and is left as it is.
volumes_ensure() {
	local node name
	while read -r node name; do
		mkdir -p "$(volume_folder "$name")"
		volume_manifest "$node" "$name"
	done < <(volume_names) >"$CONFIG/volumes.yaml"
	kubectl_admin apply --server-side --force-conflicts --filename "$CONFIG/volumes.yaml" >"$LOGS/volumes.log" 2>&1 ||
		fail "making the volumes failed" "log: $LOGS/volumes.log"
}

# The capacity is nominal: a folder is as large as the disk.
volume_manifest() {
	cat <<-YAML
		---
		apiVersion: v1
		kind: PersistentVolume
		metadata:
		  name: local-$2
		  labels: {msctl.test/volume: local}
		spec:
		  capacity: {storage: 10Gi}
		  accessModes: [ReadWriteOnce]
		  persistentVolumeReclaimPolicy: Retain
		  storageClassName: local
		  local: {path: $(volume_folder "$2")}
		  nodeAffinity:
		    required:
		      nodeSelectorTerms:
		      - matchExpressions:
		        - {key: kubernetes.io/hostname, operator: In, values: [$1]}
	YAML
}

# Volumes whose claim is gone. A claim outlives its pods, but for a pod that was deleted by force: its containers may go on for a while.
volumes_released() {
	kubectl_admin get persistentvolumes --selector msctl.test/volume=local \
		--output 'jsonpath={range .items[?(@.status.phase=="Released")]}{.metadata.name}{"\n"}{end}'
}

# volume_is_mounted NODE VOLUME: whether the node's kubelet has it mounted for a pod. A node that is not running has nothing mounted.
volume_is_mounted() {
	local pid
	pid=$(process_pid "$1") && grep --quiet "/kubernetes.io~local-volume/$2 " "/proc/$pid/mounts"
}

volumes_reclaim() {
	local released name node folder
	released=$(volumes_released) || fail "the volumes can't be listed" "see: $0 status"
	for name in $released; do
		folder=$(volume_folder "${name#local-}")
		node=${name#local-}
		if volume_is_mounted "${node%-*}" "$name"; then
			say "$name: still mounted for a pod that is ending; \`$0 volumes\` frees it later"
			continue
		fi
		rm -rf "$folder"
		mkdir "$folder"
		kubectl_admin patch persistentvolume "$name" --type json --patch '[{"op": "remove", "path": "/spec/claimRef"}]' >/dev/null
		say "$name: emptied, and available again"
	done
}

cluster_volumes() {
	packages_require_root volumes
	lock_take
	node_alive "$CONTROL_NODE" || fail "the cluster is not up" "run: $0 up"
	volumes_reclaim
	kubectl_admin get persistentvolumes --selector msctl.test/volume=local --sort-by .metadata.name
}
