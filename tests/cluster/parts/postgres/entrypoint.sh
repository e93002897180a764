#!/bin/sh
# What the official image's entrypoint makes of the same variables, as far as the chart uses them: POSTGRES_USER, POSTGRES_DB and
# POSTGRES_PASSWORD, each also as NAME_FILE; PGDATA; arguments for the server, or another command.
set -eu

case ${1:-} in
'' | -*) set -- postgres "$@" ;;
esac
[ "$1" = postgres ] || exec "$@"

# The variable, or what is in the file that NAME_FILE names.
value() {
	eval "file=\${$1_FILE:-}"
	if [ -n "$file" ]; then
		cat "$file"
	else
		eval "printf %s \"\${$1:-}\""
	fi
}

# Beside PGDATA until it is whole: a pod that is killed meanwhile leaves nothing that looks like a database.
initialise() {
	user=$(value POSTGRES_USER)
	user=${user:-postgres}
	database=$(value POSTGRES_DB)
	database=${database:-$user}
	password=$(value POSTGRES_PASSWORD)
	if [ -z "$password" ]; then
		echo 'POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set, and not empty' >&2
		exit 1
	fi
	made=$PGDATA.part
	rm -rf "$made"
	(umask 077 && printf '%s\n' "$password" >/tmp/password)
	initdb --pgdata="$made" --username="$user" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256
	rm /tmp/password
	echo 'host all all all scram-sha-256' >>"$made/pg_hba.conf"
	if [ "$database" != postgres ]; then
		# Without the network: nobody may take this server for the one that stays.
		pg_ctl --pgdata="$made" --options="-c listen_addresses=''" --wait start
		psql --username="$user" --dbname=postgres --no-password --set=ON_ERROR_STOP=1 --set=name="$database" <<-'SQL'
			CREATE DATABASE :"name";
		SQL
		pg_ctl --pgdata="$made" --mode=fast --wait stop
	fi
	rm -rf "$PGDATA"
	mv "$made" "$PGDATA"
}

[ -s "$PGDATA/PG_VERSION" ] || initialise
exec "$@"
