# shellcheck shell=bash
# The cluster's programs, cached by the hash of what their folder holds: built by Go from pinned modules, but for Debian's Postgres.

PARTS=(pause etcd kubernetes coredns helm jaeger postgres)

part_source() { echo "$HERE/parts/$1"; }

part_key() { (cd "$(part_source "$1")" && cat -- * | sha256sum | cut -c1-16); }

part_dir() { echo "$CACHE/bin/$1-$(part_key "$1")"; }

part_bin() { echo "$(part_dir "$1")/$2"; }

# The version that the part's go.mod pins for a module.
part_version() { awk -v module="$2" '$1 == "require" {$1 = $2; $2 = $3} $1 == module {print $2; exit}' "$(part_source "$1")/go.mod"; }

parts_ensure() {
	local part
	for part in "${PARTS[@]}"; do
		[[ -d $(part_dir "$part") ]] || part_build "$part"
	done
}

part_build() {
	local part=$1 target
	[[ $part == postgres ]] || packages_need_go
	target=$(part_dir "$part")
	mkdir -p "$CACHE/bin" "$CACHE/logs"
	mounts_remove "$target.part"
	rm -rf --one-file-system "$target.part"
	mkdir "$target.part"
	with_heartbeat "build of $part" "$CACHE/logs/$part.log" "build_$part" "$target.part"
	mv "$target.part" "$target"
}

# What an earlier version of build_postgres left mounted when it was killed.
mounts_remove() {
	local mounted
	findmnt --list --noheadings --output TARGET | sort --reverse | while read -r mounted; do
		[[ $mounted != "$1"/* ]] || umount "$mounted"
	done
}

# go_build PART FLAGS...: static, the same for every folder it is built in, and polite to whoever else uses the machine.
go_build() {
	local part=$1
	shift
	(
		cd "$(part_source "$part")"
		CGO_ENABLED=0 GOWORK=off GOFLAGS='' nice -n 5 go build -mod=readonly -trimpath -buildvcs=false "$@"
	)
}

build_pause() { go_build pause -ldflags '-s -w' -o "$1/pause" .; }

build_etcd() { go_build etcd -ldflags '-s -w' -o "$1/etcd" go.etcd.io/etcd/server/v3; }

build_kubernetes() {
	local version flags
	version=$(part_version kubernetes k8s.io/kubernetes)
	flags="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/client-go/pkg/version.gitVersion=$version"
	go_build kubernetes -ldflags "$flags" -o "$1/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-proxy,kube-scheduler,kubectl,kubelet}
}

build_coredns() { go_build coredns -ldflags '-s -w' -o "$1/coredns" .; }

build_helm() {
	go_build helm -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$(part_version helm helm.sh/helm/v4)" \
		-o "$1/helm" helm.sh/helm/v4/cmd/helm
}

build_jaeger() { go_build jaeger -ldflags '-s -w' -o "$1/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger; }

# debootstrap mounts /proc and /sys. In a mount namespace of its own they go with the last of its processes, however that ends.
build_postgres() { nice -n 5 unshare --mount --propagation private bash "$(part_source postgres)/build.sh" "$1"; }
