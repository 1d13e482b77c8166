"""Mixed traffic whose every outcome can be judged after a crash (verdict.py).

Each worker owns its keys, so what a key may hold is known: the state after its last acknowledged operation, or, if one
was under way when the store went, the state after that one. Shared keys take conditional races: of all clients that
were told 200 by If-None-Match: * on a key, there is exactly one.
"""
import base64
import hashlib
import http.client
import json
import random
import re
import threading
import zlib
import xml.etree.ElementTree as xml

from s3lib import Answer, Client

# Inlined up to 4 KiB, in volumes up to 512 KiB, then in files: through the page cache below 1 MiB, around it from there on.
SIZES = [0, 1, 100, 4000, 4096, 4097, 16384, 70000, 262144, 524289, 900000, 1 << 20, (5 << 20) + 17]
WEIGHTS = [1, 2, 4, 4, 4, 2, 4, 3, 1, 1, 1, 1, 0.3]
PART = 5 << 20
VERSIONS_MAX = 6
GONE = None
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
EXPIRE = (b"<LifecycleConfiguration><Rule><ID>e</ID><Status>Enabled</Status><Filter><Prefix>short/</Prefix></Filter>"
          b"<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>")
KINDS = {"put": 10, "delete": 2, "get": 3, "copy": 2, "copy_across": 1, "rename": 2, "tag": 2, "swap": 2, "race": 2, "multipart": 0.3,
         "list": 0.5, "version_put": 2, "version_mark": 1, "version_delete": 1, "short": 1, "batch": 1, "bucket_life": 0.3,
         "policy": 0.7, "access_key": 0.5, "rotate": 0.1}


# Checksums that a client may declare: header -> its bytes. Of a PUT without one the store keeps one of its own.
SUMS = {"x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(), "x-amz-checksum-sha1": lambda body: hashlib.sha1(body).digest(),
        "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big")}


def content(seed, size):
    """Bytes that say which write they are of."""
    if size == 0:
        return b""
    unit = hashlib.sha256(str(seed).encode()).digest()
    return (unit * (size // 32 + 1))[:size]


class State:
    """What a key holds: the digest of its bytes and its tags."""

    def __init__(self, body, tags=""):
        self.md5, self.size, self.tags = hashlib.md5(body).hexdigest(), len(body), tags

    def but(self, tags):
        other = State(b"", tags)
        other.md5, other.size = self.md5, self.size
        return other

    def __eq__(self, other):
        return isinstance(other, State) and (self.md5, self.size, self.tags) == (other.md5, other.size, other.tags)

    def __repr__(self):
        return f"{self.size} bytes {self.md5[:8]} tags {self.tags!r}"


class Shared:
    """What all workers of a round share. A fault is whatever nothing here excuses."""

    def __init__(self, number):
        self.round = number
        self.tried, self.won = {}, {}		# race key -> digests
        self.cut = False			# the power is gone: answers that still come do not count
        self.may_break = False			# the process may die at any moment: connections may break
        self.may_fail = ()			# statuses that may be answered: the outcome is then unknown


def make_buckets(store, bucket):
    """The three that Worker uses."""
    client = Client(store.host, store.port, store.key, store.secret)
    for name in (bucket, bucket + "-versions", bucket + "-other"):
        made = client.call("PUT", name, body=CREATE)
        assert made.status in (200, 409), made
    for name, query, body in ((bucket + "-versions", "versioning", VERSIONING), (bucket, "lifecycle", EXPIRE)):
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        made = client.call("PUT", name, query={query: ""}, body=body, headers={"content-md5": digest})
        assert made.status == 200, made
    client.close()


class Stopped(Exception):
    """The power is gone, or the answer says that the outcome is unknown."""


class Worker(threading.Thread):
    """Runs operations until told to stop or cut off.

    may_be: key -> the states that it may have; versions: key -> [(version id, digest or None)], newest first; policies: name -> the
    values that it may have; keys_made: access key -> may it be there, may it be gone.
    """

    def __init__(self, store, bucket, number, seed, shared, kinds=KINDS):
        super().__init__(daemon=True)
        self.client = Client(store.host, store.port, store.key, store.secret)
        self.control = Control(store)
        self.bucket, self.number, self.random = bucket, number, random.Random(seed)
        self.shared, self.kinds = shared, kinds
        self.may_be, self.versions, self.short_lived, self.policies, self.keys_made = {}, {}, {}, {}, {}
        self.revoked, self.buckets = [], {}
        self.pairs = []			# renames in doubt, their names untouched since: (source, target, states before, what moved)
        self.pending = {}		# versioned key -> (kind, what) of an operation in doubt
        self.done = 0
        self.stopping = False
        self.fault = None
        self.serial = 0

    def continue_from(self, before):
        """Another worker's keys as the last verdict found them."""
        for what in ("may_be", "pairs", "versions", "pending", "short_lived", "buckets", "policies", "keys_made", "revoked"):
            setattr(self, what, getattr(before, what))

    def names(self):
        return [f"w{self.number}/k{i}" for i in range(12)]

    def version_names(self):
        return [f"v{self.number}/k{i}" for i in range(3)]

    def may(self, key):
        return self.may_be.get(key, [GONE])

    def sure(self, key):
        """Is it known what it holds, and is it there?"""
        return len(self.may(key)) == 1 and self.may(key)[0] is not GONE

    def choose(self):
        return self.random.choices(list(self.kinds), list(self.kinds.values()))[0]

    def run(self):
        while not self.stopping:
            try:
                getattr(self, self.choose())(self.random.choice(self.names()))
                self.done += 1
            except Stopped:
                pass
            except (OSError, http.client.HTTPException) as broken:
                # Cut off: the outcome of the last operation is unknown. Without a cut nothing may break off.
                if not (self.shared.cut or self.shared.may_break):
                    self.fault = f"{type(broken).__name__}: {broken}"
                break
            except Exception as fault:
                self.fault = fault
                break
        self.client.close()
        self.control.close()

    def answer(self, call, answer, ok):
        """An answer that counts. Raises Stopped if it does not."""
        if self.shared.cut:
            self.stopping = True
            raise Stopped
        if answer.status in ok and not (answer.status == 200 and b"<Error>" in answer.body):
            return answer
        if answer.status in self.shared.may_fail or (answer.status == 200 and 500 in self.shared.may_fail):
            raise Stopped
        raise AssertionError(f"{call[:3]} gives {answer}")

    def ask(self, *call, ok=(200,), **more):
        return self.answer(call, self.client.call(*call, **more), ok)

    def attempt(self, changes, *call, ok=(200, 204), pair=None, **more):
        """A change: its outcome is in doubt until the answer is here. changes: key -> new state. pair: the row of self.pairs, of a rename."""
        self.pairs = [p for p in self.pairs if not changes.keys() & p[:2]] + ([pair] if pair else [])
        before = {key: self.may(key) for key in changes}
        for key, new in changes.items():
            self.may_be[key] = before[key] + [s for s in [new] if s not in before[key]]
        answer = self.ask(*call, ok=ok, **more)
        for key, new in changes.items():
            self.may_be[key] = [new]
        if pair:
            self.pairs.remove(pair)
        return answer

    def fresh(self, size=None):
        self.serial += 1
        size = self.random.choices(SIZES, WEIGHTS)[0] if size is None else size
        return content((self.bucket, self.number, self.serial, self.random.random()), size)

    # ---- keys of our own ----

    def put(self, key):
        body, declare = self.fresh(), self.random.choice([None, *SUMS])
        headers = {declare: base64.b64encode(SUMS[declare](body)).decode()} if declare else {}
        answer = self.attempt({key: State(body)}, "PUT", self.bucket, key, body=body, headers=headers)
        want = f'"{hashlib.md5(body).hexdigest()}"'
        assert answer.headers["etag"] == want, f"ETag {answer.headers['etag']} of {key}, want {want}"

    def delete(self, key):
        self.attempt({key: GONE}, "DELETE", self.bucket, key)

    def batch(self, key):
        """DeleteObjects: of each key it is told apart whether it is gone."""
        keys = sorted(set(self.random.choices(self.names(), k=3)))
        body = ("<Delete>" + "".join(f"<Object><Key>{k}</Key></Object>" for k in keys) + "</Delete>").encode()
        more = {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}
        self.attempt({k: GONE for k in keys}, "POST", self.bucket, query={"delete": ""}, body=body, headers=more)

    def get(self, key):
        answer = self.ask("GET", self.bucket, key, ok=(200, 404))
        digest = hashlib.md5(answer.body).hexdigest() if answer.status == 200 else None
        allowed = [s.md5 if s is not GONE else None for s in self.may(key)]
        assert digest in allowed, f"GET {key}: {answer.status} {digest}, may be {self.may(key)}"

    def other(self, key):
        return self.random.choice([n for n in self.names() if n != key])

    def copy(self, key):
        if not self.sure(key):
            return self.put(key)
        to = self.other(key)
        self.attempt({to: self.may(key)[0]}, "PUT", self.bucket, to, headers={"x-amz-copy-source": f"/{self.bucket}/{key}"})

    def copy_across(self, key):
        """To the bucket beside, and back under another name: links between spaces."""
        if not self.sure(key):
            return self.put(key)
        to = self.other(key)
        self.ask("PUT", self.bucket + "-other", key, headers={"x-amz-copy-source": f"/{self.bucket}/{key}"})
        self.attempt({to: self.may(key)[0]}, "PUT", self.bucket, to, headers={"x-amz-copy-source": f"/{self.bucket}-other/{key}"})

    def rename(self, key):
        key = self.random.choice([k for k in self.names() if self.sure(k)] or [key])
        to = self.other(key)
        if not self.sure(key) or len(self.may(to)) != 1:
            return self.put(key)
        moved = self.may(key)[0]
        self.attempt({key: GONE, to: moved}, "PUT", self.bucket, to, query={"renameObject": ""}, headers={"x-amz-rename-source": key},
                     pair=(key, to, (moved, self.may(to)[0]), moved))

    def tag(self, key):
        if not self.sure(key):
            return self.put(key)
        value = str(self.random.randrange(1000))
        body = f"<Tagging><TagSet><Tag><Key>n</Key><Value>{value}</Value></Tag></TagSet></Tagging>".encode()
        self.attempt({key: self.may(key)[0].but(f"n={value}")}, "PUT", self.bucket, key, query={"tagging": ""}, body=body)

    def swap(self, key):
        """Compare and swap on our own key: nobody else writes it, so it must succeed."""
        if not self.sure(key):
            return self.put(key)
        now = self.ask("HEAD", self.bucket, key)
        body = self.fresh(500)
        self.attempt({key: State(body)}, "PUT", self.bucket, key, headers={"if-match": now.headers["etag"]}, body=body)

    def multipart(self, key):
        parts = [self.fresh(PART), self.fresh(self.random.choice([1, 70000]))]
        made = self.ask("POST", self.bucket, key, query={"uploads": ""})
        upload = re.search(rb"<UploadId>([^<]+)", made.body).group(1).decode()
        etags = [self.ask("PUT", self.bucket, key, query={"partNumber": n, "uploadId": upload}, body=part).headers["etag"]
                 for n, part in enumerate(parts, 1)]
        if self.random.random() < 0.3:
            self.ask("DELETE", self.bucket, key, query={"uploadId": upload}, ok=(204,))
            return
        body = "<CompleteMultipartUpload>" + "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in enumerate(etags, 1)) + "</CompleteMultipartUpload>"
        self.attempt({key: State(b"".join(parts))}, "POST", self.bucket, key, query={"uploadId": upload}, body=body.encode())

    def list(self, key):
        answer = self.ask("GET", self.bucket, query={"list-type": 2, "prefix": f"w{self.number}/"})
        found = {e.findtext(NS + "Key") for e in xml.fromstring(answer.body).iter(NS + "Contents")}
        wrong = [k for k in self.names() if (GONE if k not in found else 1) not in [GONE if s is GONE else 1 for s in self.may(k)]]
        assert not wrong, f"list: {wrong} differ"

    # ---- keys that others want too, and keys that a lifecycle rule takes away ----

    def race(self, key):
        name = f"race/{self.shared.round}-{self.random.randrange(40)}"
        body = self.fresh(self.random.choice([100, 20000]))
        digest = hashlib.md5(body).hexdigest()
        self.shared.tried.setdefault(name, set()).add(digest)
        answer = self.ask("PUT", self.bucket, name, headers={"if-none-match": "*"}, body=body, ok=(200, 409, 412))
        if answer.status == 200:
            self.shared.won.setdefault(name, []).append(digest)

    def short(self, key):
        """There or gone, but never other bytes."""
        name, body = f"short/{self.number}-{self.random.randrange(8)}", self.fresh(self.random.choice([10, 9000]))
        self.short_lived.setdefault(name, set()).add(hashlib.md5(body).hexdigest())
        self.ask("PUT", self.bucket, name, body=body)
        self.short_lived[name] = {hashlib.md5(body).hexdigest()}

    # ---- versions ----

    def versioned(self, kind):
        """A key without an operation in doubt, and what it holds; None if there is none."""
        free = [k for k in self.version_names() if k not in self.pending]
        if not free:
            return None, None
        key = self.random.choice(free)
        held = self.versions.setdefault(key, [])
        return (key, held) if (kind == "delete" and held) or (kind != "delete" and len(held) < VERSIONS_MAX) else (None, None)

    def version_put(self, _):
        key, held = self.versioned("put")
        if key is None:
            return self.version_delete(_)
        body = self.fresh(self.random.choice([10, 5000, 600000]))
        digest = hashlib.md5(body).hexdigest()
        self.pending[key] = ("new", digest)
        answer = self.ask("PUT", self.bucket + "-versions", key, body=body)
        held.insert(0, (answer.headers["x-amz-version-id"], digest))
        del self.pending[key]

    def version_mark(self, _):
        key, held = self.versioned("put")
        if key is None:
            return
        self.pending[key] = ("new", None)
        answer = self.ask("DELETE", self.bucket + "-versions", key, ok=(204,))
        held.insert(0, (answer.headers["x-amz-version-id"], None))
        del self.pending[key]

    def version_delete(self, _):
        key, held = self.versioned("delete")
        if key is None:
            return
        which = self.random.choice(held)
        self.pending[key] = ("gone", which)
        self.ask("DELETE", self.bucket + "-versions", key, query={"versionId": which[0]}, ok=(204,))
        held.remove(which)
        del self.pending[key]

    # ---- buckets of our own ----

    def bucket_life(self, _):
        """Made, used, emptied, removed."""
        name = f"{self.bucket}-own-{self.number}-{self.random.randrange(3)}"
        steps = [("PUT", "", CREATE, (200, 409), [True]), ("PUT", "k", b"bytes", (200,), [True]), ("DELETE", "k", b"", (204,), [True]),
                 ("DELETE", "", b"", (204,), [False])]
        if self.buckets.get(name, [False]) != [False]:
            steps = [("DELETE", "", b"", (204, 404, 409), [True, False])]		# after a crash: whatever is left of it
        for method, key, body, ok, after in steps:
            if key == "":
                self.buckets[name] = [True, False]
            self.ask(method, name, key, body=body, ok=ok)
            self.buckets[name] = after

    # ---- who may do what ----

    def told(self, method, path, body=None, ok=(200,)):
        return self.answer((method, path), self.control.call(method, path, body), ok)

    def policy(self, _):
        name, value = f"crash-{self.number}-{self.random.randrange(4)}", f"r{self.random.randrange(10 ** 6)}"
        before = self.policies.get(name, [GONE])
        if before != [GONE] and self.random.random() < 0.3:
            self.policies[name] = before + [GONE]
            self.told("DELETE", f"/v1/cwobject/access-policy/{name}", ok=(200, 404))
            self.policies[name] = [GONE]
            return
        self.policies[name] = before + [value]
        self.told("POST", "/v1/cwobject/access-policy", {"policy": {"version": "v1alpha1", "name": name, "statements": [
            {"name": "s", "effect": "Allow", "actions": ["s3:GetObject"], "resources": [value], "principals": ["role/nobody"]}]}})
        self.policies[name] = [value]

    def rotate(self, _):
        """Every secret under a new master key: ours must open it all the same, now and after the crash."""
        self.told("POST", "/v1/caisson/master-key/rotate", {})

    def access_key(self, _):
        if len(self.keys_made) < 3:
            made = json.loads(self.told("POST", "/v1/cwobject/access-key", {"durationSeconds": 0}).body)
            self.keys_made[made["accessKeyId"]] = [True]
            return
        one = self.random.choice(sorted(self.keys_made))
        self.keys_made[one] = [True, False]
        self.told("POST", "/v1/cwobject/revoke-access-key/access-key", {"accessKey": one}, ok=(200, 404))
        self.keys_made[one] = [False]
        del self.keys_made[one]
        self.revoked.append(one)


class Control:
    """The control API over one kept connection."""

    def __init__(self, store):
        self.host, self.port = re.match(r"https?://(.+):(\d+)$", store.control).groups()
        self.token, self.connection = store.token, None

    def call(self, method, path, body=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, int(self.port), timeout=30)
        try:
            self.connection.request(method, path, body=None if body is None else json.dumps(body),
                                    headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
            answer = self.connection.getresponse()
            return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None
