# shellcheck shell=bash
# Brings images into both nodes: OCI archives, or images by their name in buildah's storage.

images_load() {
	local image folder
	folder=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now is meant
	trap "rm -rf '$folder'" EXIT
	for image; do
		[[ -f $image ]] || image=$(image_export "$image" "$folder")
		archive_load "$image"
	done
	rm -rf "$folder"
	trap - EXIT
}

image_export() {
	local archive
	archive=$(mktemp --dry-run "$2/XXXXXX.tar")
	buildah push --quiet --disable-compression "$1" "oci-archive:$archive:$1" >&2 ||
		fail "$1 is neither a file nor an image in buildah's storage" "buildah images lists those"
	echo "$archive"
}

archive_load() {
	local archive=$1 manifests digest name
	manifests=$(tar -xOf "$archive" index.json | jq -r '.manifests[] | [.digest, .annotations["org.opencontainers.image.ref.name"] // ""] | @tsv') ||
		fail "$archive is not an OCI archive" "make one: buildah push IMAGE oci-archive:FILE:NAME"
	while IFS=$'\t' read -r digest name; do
		[[ -n $name ]] || fail "$archive does not say its image's name" "make it again: buildah push IMAGE oci-archive:FILE:NAME"
		archive_load_everywhere "$archive" "$digest" "$name"
	done <<<"$manifests"
}

archive_load_everywhere() {
	local archive=$1 digest=$2 name=$3 full node job jobs=()
	full=$(image_full_name "$name")
	for node in "${NODES[@]}"; do
		if node_has_image "$node" "$full" "$digest"; then
			say "$full: on $node already"
			continue
		fi
		archive_load_on "$node" "$archive" "$name" "$full" &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job" || fail "loading $full failed"
	done
}

archive_load_on() {
	local node=$1 archive=$2 name=$3 full=$4
	node_ctr "$node" images import - <"$archive" >/dev/null
	if [[ $name != "$full" ]]; then node_ctr "$node" images tag --force "$name" "$full" >/dev/null; fi
	say "$full: loaded on $node"
}

node_ctr() {
	local node=$1
	shift
	node_enter "$node" ctr --namespace k8s.io "$@"
}

node_has_image() {
	node_ctr "$1" images list "name==$2" | awk -v digest="$3" '$3 == digest {found = 1} END {exit !found}'
}

# A pod's image has its registry's name added before it is looked for, and ours must be found under that.
image_full_name() {
	local name=$1 first=${1%%/*}
	if [[ $name != */* ]]; then
		name=docker.io/library/$name
	elif [[ $first != *[.:]* && $first != localhost ]]; then
		name=docker.io/$name
	fi
	[[ ${name##*/} == *[:@]* ]] || name=$name:latest
	echo "$name"
}
