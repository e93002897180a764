# shellcheck shell=bash
# One `up`, `down` or `load` at a time.

LOCK=

lock_take() {
	mkdir -p "$(dirname "$STATE")"
	exec {LOCK}>"$STATE.lock"
	flock --nonblock "$LOCK" && return
	say "another cluster command is at work; waiting for it"
	flock --timeout 3600 "$LOCK" || fail "the other command is still at work after an hour" "lock: $STATE.lock"
}
