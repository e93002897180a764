# shellcheck shell=bash
# The images that the cluster brings along, as archives in the cache.

POSTGRES_VALUES=$HERE/../../charts/postgres/values.yaml

# Each line: the part whose folder the image is built from, and the image's name. Jaeger's and Postgres' are somebody else's names, so
# that manifests written for those images find these: Jaeger's module 1.76.0 is the release 2.13.0, and Postgres' name is the chart's.
own_images() {
	cat <<-LIST
		pause $PAUSE_IMAGE
		coredns localhost/msctl/coredns:1
		jaeger docker.io/jaegertracing/jaeger:2.13.0
		postgres $(postgres_image)
	LIST
}

postgres_image() { awk '/^ +(repository|tag):/ {gsub("\"", ""); value[$1] = $2} END {print value["repository:"] ":" value["tag:"]}' "$POSTGRES_VALUES"; }

# debootstrap takes the minor version that Debian has today, and a point release of Debian's must break nobody's run: minor versions are
# compatible, so the image has the name that the chart asks for, whichever it is, and a difference is said and is no error.
postgres_version_compare() {
	local image version
	image=$(postgres_image)
	version=$(<"$(part_dir postgres)/version")
	[[ ${image##*:} == "$version" ]] ||
		say "the image $image holds Postgres $version, Debian's present one: set the tag in charts/postgres/values.yaml, and appVersion in its Chart.yaml"
}

image_recipe() { echo "$HERE/images/$1.Containerfile"; }

image_archive() {
	local part=$1 name=$2 key
	key=$({ echo "$name" && part_key "$part" && cat "$(image_recipe "$part")"; } | sha256sum | cut -c1-16)
	echo "$CACHE/images/$part-$key.tar"
}

images_ensure() {
	local part name archive
	mkdir -p "$CACHE/images"
	while read -r part name; do
		archive=$(image_archive "$part" "$name")
		[[ -f $archive ]] && continue
		with_heartbeat "image $name" "$CACHE/logs/image-$part.log" image_build "$part" "$name" "$archive"
	done < <(own_images)
	postgres_version_compare
}

# A storage of its own, thrown away afterwards, leaves the developer's list of images as it was.
image_build() {
	local part=$1 name=$2 archive=$3 storage status=0
	storage=$(mktemp -d)
	image_build_in "$storage" "$part" "$name" "$archive.part" || status=$?
	rm -rf "$storage"
	((status == 0)) && mv "$archive.part" "$archive"
}

image_build_in() {
	local buildah=(buildah --root "$1/root" --runroot "$1/run" --storage-driver vfs)
	"${buildah[@]}" build --isolation chroot --layers=false --timestamp 0 --file "$(image_recipe "$2")" --tag "$3" "$(part_dir "$2")" &&
		"${buildah[@]}" push --disable-compression "$3" "oci-archive:$4:$3"
}

# images_load_own PART...: those of the parts that are named.
images_load_own() {
	local part name archives=()
	while read -r part name; do
		if [[ " $* " == *" $part "* ]]; then archives+=("$(image_archive "$part" "$name")"); fi
	done < <(own_images)
	images_load "${archives[@]}"
}
