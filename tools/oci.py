"""One layer and how to run it, as an OCI image archive: oci.py LAYER.tar IMAGE.tar NAME. What it says is what packaging/Containerfile says."""
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tarfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def containerfile():
    """The directives of the last stage: {name: value}."""
    with open(os.path.join(TOP, "packaging/Containerfile")) as f:
        last = f.read().split("\nFROM ")[-1]
    return dict(re.findall(r"^([A-Z]+) (.*)$", last, re.M))


def main(layer, image, name):
    with open(layer, "rb") as f:
        plain = f.read()
    how = containerfile()
    blobs = {}

    def put(content, media):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": media, "digest": digest, "size": len(content)}

    def put_json(value, media):
        return put(json.dumps(value).encode(), media)
    packed = put(gzip.compress(plain, 6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
    config = put_json({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine], "os": "linux",
        "config": {"User": how["USER"], "Entrypoint": json.loads(how["ENTRYPOINT"]), "Cmd": json.loads(how["CMD"]),
                   "Volumes": {how["VOLUME"]: {}}, "ExposedPorts": {f"{port}/tcp": {} for port in how["EXPOSE"].split()},
                   "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
    }, "application/vnd.oci.image.config.v1+json")
    manifest = put_json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                         "layers": [packed]}, "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": name}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode(),
             **{"blobs/sha256/" + digest.split(":")[1]: content for digest, content in blobs.items()}}
    with tarfile.open(image, "w") as out:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main(*sys.argv[1:])
