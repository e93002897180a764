"""What is in an OCI image archive, whichever engine saved it: deploy/oci_archive.py ARCHIVE prints its size in bytes, compressed."""

import gzip
import json
import sys
import tarfile


def blob(archive, digest):
    return archive.extractfile("blobs/" + digest.replace(":", "/")).read()


def document(archive, digest):
    return json.loads(blob(archive, digest))


def image(archive):
    """Name, manifest and configuration. Docker wraps the manifest in an index of its own."""
    entry = json.load(archive.extractfile("index.json"))["manifests"][0]
    manifest = document(archive, entry["digest"])
    if "manifests" in manifest:
        manifest = document(archive, manifest["manifests"][0]["digest"])
    annotations = entry.get("annotations", {})
    name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name", "")
    return name, manifest, document(archive, manifest["config"]["digest"])


def layers(archive, manifest):
    """As a registry has them and a pull moves them, packed: an engine that keeps its images unpacked saves them so."""
    found = (blob(archive, layer["digest"]) for layer in manifest["layers"])
    return [layer if layer[:2] == b"\x1f\x8b" else gzip.compress(layer) for layer in found]


if __name__ == "__main__":
    with tarfile.open(sys.argv[1]) as archive:
        _, manifest, _ = image(archive)
        print(sum(len(layer) for layer in layers(archive, manifest)))
