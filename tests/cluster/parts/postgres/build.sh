#!/usr/bin/env bash
# Debian's Postgres as the root file system of an image: build.sh FOLDER makes FOLDER/rootfs.tar, and FOLDER/version says which one it is.
#
# Of what debootstrap installs only the programs below are taken, with the libraries they are linked to: an eighth of the whole.
set -euo pipefail

readonly SUITE=bookworm MAJOR=15
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
whole=$1/whole
rootfs=$1/rootfs
programs=/usr/lib/postgresql/$MAJOR

debootstrap --variant=minbase --include="postgresql-$MAJOR" "$SUITE" "$whole"
# The just-in-time compiler is not used here, and its library is larger than all the rest.
rm -rf "$whole$programs"/lib/{bitcode,llvmjit*}

wanted() {
	local program
	printf '%s\n' "$programs/lib" "/usr/share/postgresql/$MAJOR" /usr/share/zoneinfo /usr/lib/locale/C.utf8 /etc/nsswitch.conf
	for program in initdb pg_ctl pg_controldata pg_dump pg_isready pg_restore pgbench postgres psql; do echo "$programs/bin/$program"; done
	for program in cat chmod dash df du env grep id ls mkdir mv rm sleep; do chroot "$whole" sh -c "command -v $program"; done
}

# The names under which the dynamic linker finds them. Not every file that may be run is linked, and ldd fails then.
libraries() {
	(cd "$whole" && wanted | sed 's|^/||' | xargs -I{} find {} -type f \( -perm -u+x -o -name '*.so' \) -printf '/%p\n') |
		{ xargs chroot "$whole" ldd 2>/dev/null || true; } |
		awk '$2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\/.*[^:]$/ {print $1}' | sort -u
}

# With what a link leads to.
copy() {
	local file
	while read -r file; do
		mkdir -p "$rootfs$(dirname "$file")"
		cp -a "$whole$file" "$rootfs$file"
		[[ ! -L $whole$file ]] || cp -a "$whole$(chroot "$whole" readlink -f "$file")" "$rootfs$(dirname "$file")/"
	done
}

mkdir -p "$rootfs"/{dev,etc,proc,run,sys,tmp,usr/bin,usr/lib,usr/lib64,usr/local/bin,var/lib/postgresql/data}
for link in bin lib lib64; do ln -s "usr/$link" "$rootfs/$link"; done
ln -s ../run "$rootfs/var/run"
wanted | copy
libraries | copy
ln -s dash "$rootfs/usr/bin/sh"

# The user of the official image, who has no name otherwise, and initdb asks for it.
echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >"$rootfs/etc/passwd"
echo 'postgres:x:999:' >"$rootfs/etc/group"
mkdir -p "$rootfs/run/postgresql"
chown -R 999:999 "$rootfs/var/lib/postgresql" "$rootfs/run/postgresql"
chmod 1777 "$rootfs/tmp"
# As the official image: the network's clients are let in by pg_hba.conf, or not.
sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" "$rootfs/usr/share/postgresql/$MAJOR/postgresql.conf.sample"
install -m 755 "$HERE/entrypoint.sh" "$rootfs/usr/local/bin/docker-entrypoint.sh"

for program in initdb pg_ctl pg_isready psql postgres; do chroot --userspec=999:999 "$rootfs" "$programs/bin/$program" --version; done
chroot "$rootfs" "$programs/bin/postgres" --version | awk '{print $3}' >"$1/version"
tar --sort=name --mtime=@0 --numeric-owner -C "$rootfs" -cf "$1/rootfs.tar" .
rm -rf --one-file-system "$whole" "$rootfs"
