# shellcheck shell=bash
# The cluster that the scenarios run on: MSCTL_TEST_CONTEXT, else kind, else the one of tests/cluster.
# After target_up: target_name, target_exec COMMAND..., target_load ARCHIVE...; without one, target_reason.

target_name=
target_reason=

target_up() {
  [[ -z $target_name ]] || return 0
  if [[ -n ${MSCTL_TEST_CONTEXT:-} ]]; then
    target_name="context $MSCTL_TEST_CONTEXT"
  elif kind_cluster=$(kind get clusters 2>/dev/null | head -n 1) && [[ -n $kind_cluster ]]; then
    target_name="kind cluster $kind_cluster"
    export MSCTL_TEST_CONTEXT=kind-$kind_cluster
  elif [[ $(id -u) -eq 0 && $(uname -s) == Linux ]]; then
    target_name="tests/cluster"
    step "cluster" tests/cluster/cluster up
  else
    target_reason="no MSCTL_TEST_CONTEXT, no kind cluster, and tests/cluster needs Linux and root (sudo make test)"
    return 1
  fi
}

target_exec() {
  if [[ $target_name == tests/cluster ]]; then
    tests/cluster/cluster exec -- "$@"
  else
    "$@"
  fi
}

target_load() { # ARCHIVE...
  if [[ $target_name == tests/cluster ]]; then
    tests/cluster/cluster load "$@"
  elif [[ -n ${kind_cluster:-} ]]; then
    local archive
    for archive in "$@"; do kind load image-archive "$archive" --name "$kind_cluster"; done
  else
    echo "the images of context $MSCTL_TEST_CONTEXT must be there already: $*"
  fi
}

# Helm as the cluster's parts build it, when there is none on PATH.
find_helm() {
  [[ -n ${HELM:-} ]] || HELM=$(command -v helm || tests/cluster/cluster which helm 2>/dev/null) || HELM=
  export HELM
  [[ -n $HELM ]] || unset HELM
}
