# shellcheck shell=bash
# Progress goes to stderr, so that results on stdout can be piped.

say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

fail() {
	printf 'error: %s\n' "$1" >&2
	shift
	local hint
	for hint; do printf '  %s\n' "$hint" >&2; done
	exit 1
}

# wait_until SECONDS WHAT COMMAND...: polls, because what is waited for here has no watch to offer.
wait_until() {
	local limit=$1 what=$2 deadline
	shift 2
	deadline=$((SECONDS + limit))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || fail "waited ${limit}s for $what" "logs: $LOGS"
		sleep 0.1
	done
}

# with_heartbeat WHAT LOG COMMAND...: says at the start, every 15 s, and at the end how long it took.
with_heartbeat() {
	local what=$1 log=$2 started=$SECONDS status=0 job beat
	shift 2
	say "$what: started (log: $log)"
	"$@" >"$log" 2>&1 &
	job=$!
	beat=$((SECONDS + 15))
	while kill -0 "$job" 2>/dev/null; do
		sleep 0.2
		((SECONDS >= beat)) || continue
		say "$what: still at it, $((SECONDS - started)) s"
		beat=$((SECONDS + 15))
	done
	wait "$job" || status=$?
	if ((status != 0)); then
		tail -n 20 "$log" >&2
		fail "$what failed after $((SECONDS - started)) s" "log: $log"
	fi
	say "$what: done in $((SECONDS - started)) s"
}
