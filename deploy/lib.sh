# shellcheck shell=bash
# What deploy/kind and deploy/minikube share.

images=(service-a service-b msctl)

need() { # COMMAND...
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || {
      echo "${0##*/}: '$command' is not on PATH; this needs: $*" >&2
      exit 1
    }
  done
}

# `upgrade --install`, so that a second run brings what is there up to date.
install_demo() { # CONTEXT
  helm upgrade --install demo charts/demo --kube-context "$1" --namespace demo --create-namespace --wait --timeout 5m
}
