# shellcheck shell=bash
# Named steps with their time, and an account at the end of what did not run and why.
# shellcheck disable=SC2034

steps_done=()
steps_missing=()
steps_skipped=()

step() { # NAME COMMAND...
  local name=$1 start=$SECONDS
  shift
  echo "== $name: $*"
  if ! "$@"; then
    echo "== $name: FAILED after $((SECONDS - start)) s" >&2
    exit 1
  fi
  echo "== $name: ok, $((SECONDS - start)) s"
  steps_done+=("$name $((SECONDS - start)) s")
}

# A tool that is not here is never a silent pass: it is counted, and under CLUSTER=required it fails.
step_if() { # TOOL NAME COMMAND...
  local tool=$1 name=$2
  if command -v "$tool" >/dev/null; then
    step "${@:2}"
  else
    missing "$name" "'$tool' is not on PATH"
  fi
}

missing() { # NAME REASON
  echo "== $1: NOT RUN: $2" >&2
  steps_missing+=("$1: $2")
}

# Like missing, for what no machine of ours can be made to have: never a failure, always said.
skipped() { # NAME REASON
  echo "== $1: not run: $2" >&2
  steps_skipped+=("$1: $2")
}

summary() {
  printf '\n== done in %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
  [[ ${#steps_done[@]} -eq 0 ]] || printf '  ran      %s\n' "${steps_done[@]}"
  [[ ${#steps_skipped[@]} -eq 0 ]] || printf '  not run  %s\n' "${steps_skipped[@]}"
  [[ ${#steps_missing[@]} -gt 0 ]] || return 0
  printf '  NOT RUN  %s\n' "${steps_missing[@]}"
  if [[ ${CLUSTER:-} == required ]]; then
    echo "== CLUSTER=required: what did not run counts as failed" >&2
    exit 1
  fi
}
