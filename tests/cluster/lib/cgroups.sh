# shellcheck shell=bash
# Each node's pods live under a cgroup of the node's own, in every hierarchy the machine has (version 1, 2 or both).

cgroup_hierarchies() { findmnt --raw --noheadings --types cgroup,cgroup2 --output TARGET | sort -u; }

node_cgroup() { echo "/$CGROUP/$1"; }

cgroups_create() {
	local hierarchy
	while read -r hierarchy; do
		cgroup_open "$hierarchy"
		mkdir -p "$hierarchy/$CGROUP"
		cgroup_open "$hierarchy/$CGROUP"
		cgroup_fill_cpuset "$hierarchy" "$hierarchy/$CGROUP"
		mkdir -p "$hierarchy$(node_cgroup "$1")"
		cgroup_fill_cpuset "$hierarchy" "$hierarchy$(node_cgroup "$1")"
	done < <(cgroup_hierarchies)
}

# Version 2 hands a controller to the children of a cgroup only when asked.
cgroup_open() {
	[[ -f $1/cgroup.subtree_control ]] || return 0
	local controller
	for controller in $(<"$1/cgroup.controllers"); do
		echo "+$controller" >"$1/cgroup.subtree_control" || true
	done
}

# Version 1 starts a cpuset empty, and nothing can run in an empty one.
cgroup_fill_cpuset() {
	local file
	[[ -f $1/cpuset.cpus ]] || return 0
	for file in cpuset.cpus cpuset.mems; do
		cat "$1/$file" >"$2/$file"
	done
}

# cgroups_remove CGROUP: that one and all below it, in every hierarchy.
cgroups_remove() {
	local hierarchy
	while read -r hierarchy; do
		[[ -d $hierarchy$1 ]] || continue
		wait_until 20 "the cgroups under $hierarchy$1 to be empty" cgroup_remove "$hierarchy$1"
	done < <(cgroup_hierarchies)
}

# Those that are still in use stay for the next try, and some go by themselves meanwhile.
cgroup_remove() {
	find "$1" -depth -type d -exec rmdir {} + || true
	[[ ! -d $1 ]]
}
