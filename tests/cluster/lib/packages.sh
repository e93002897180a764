# shellcheck shell=bash
# What the machine must have. Each line: the program that is looked for, and the Debian package that brings it.

required_programs() {
	cat <<-LIST
		containerd containerd
		runc runc
		$CNI_PLUGINS/bridge containernetworking-plugins
		iptables iptables
		conntrack conntrack
		buildah buildah
		debootstrap debootstrap
		ip iproute2
		nsenter util-linux
		setpriv util-linux
		findmnt util-linux
		pgrep procps
		openssl openssl
		jq jq
	LIST
}

missing_packages() {
	local program package
	while read -r program package; do
		command -v "$program" >/dev/null || echo "$package"
	done < <(required_programs) | sort -u
}

# Debian's Go is too old for these parts, so Go is asked for and not installed.
packages_need_go() {
	command -v go >/dev/null || fail "go is missing" "Go 1.26 or later builds the cluster's parts; see parts/*/go.mod"
}

packages_ensure() {
	local missing
	mapfile -t missing < <(missing_packages)
	((${#missing[@]} == 0)) && return
	command -v apt-get >/dev/null || fail "programs are missing, and there is no apt-get" "Debian has them in: ${missing[*]}"
	say "installing ${missing[*]}"
	mkdir -p "$CACHE/logs"
	with_heartbeat "apt-get install" "$CACHE/logs/packages.log" packages_install "${missing[@]}"
}

packages_install() {
	apt-get -o DPkg::Lock::Timeout=300 update
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# Namespaces, mounts and cgroups need root; say at once all that an ordinary user has to ask for.
packages_require_root() {
	((EUID == 0)) && return
	local missing
	mapfile -t missing < <(missing_packages)
	fail "the cluster needs root for namespaces, mounts and cgroups" \
		"run: sudo env \"PATH=\$PATH\" $0 $1" \
		"missing packages: ${missing[*]:-none}${missing[*]:+ (apt-get install ${missing[*]})}"
}
