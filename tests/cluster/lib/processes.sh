# shellcheck shell=bash
# Processes are known by pid and start time, so that a pid that was given to somebody else is never taken for ours.

# The 22nd field of stat; the name before it may hold blanks and brackets, so counting starts after its last bracket.
process_start_time() {
	local stat fields
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra fields <<<"${stat##*) }"
	[[ ${fields[0]} != Z ]] && echo "${fields[19]}"
}

process_record() { echo "$2 $(process_start_time "$2")" >"$RUN/$1.pid"; }

# Prints the pid of a recorded process, if it is still that process.
process_pid() {
	local pid started
	read -r pid started 2>/dev/null <"$RUN/$1.pid" || return 1
	[[ -n $started && $(process_start_time "$pid") == "$started" ]] && echo "$pid"
}

process_alive() { process_pid "$1" >/dev/null; }

# process_start NAME COMMAND...: the process records itself before it becomes the command, so an interrupted start loses nothing.
process_start() {
	local name=$1
	shift
	(
		cd /
		process_record "$name" "$BASHPID"
		exec setsid env -i PATH="$PATH" HOME="$HOME" "$@"
	) </dev/null >>"$LOGS/$name.log" 2>&1 {LOCK}>&- &
}

process_kill() {
	local pid
	pid=$(process_pid "$1") || return 0
	kill -KILL "$pid" 2>/dev/null || true
	wait_until 20 "$1 (pid $pid) to end" process_gone "$1"
}

process_gone() { ! process_alive "$1"; }
