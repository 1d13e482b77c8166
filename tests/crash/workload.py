"""Mixed traffic whose every outcome can be judged after a crash.

Each worker owns its keys, so what a key may hold is known: the state after its last acknowledged operation, or, if one
was under way when the power went, the state after that one. Shared keys take conditional races: of all clients that
were told 200 by If-None-Match: * on a key, there is exactly one.
"""
import hashlib
import http.client
import random
import re
import threading
import xml.etree.ElementTree as xml

from s3lib import Client

SIZES = [0, 1, 100, 4000, 4096, 4097, 16384, 70000, 262144, 262145, 1 << 20, (5 << 20) + 17]
WEIGHTS = [1, 2, 4, 4, 4, 2, 4, 3, 1, 1, 1, 0.3]
PART = 5 << 20
GONE = None
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def content(seed, size):
    """Bytes that say which write they are of."""
    if size == 0:
        return b""
    unit = hashlib.sha256(str(seed).encode()).digest()
    return (unit * (size // 32 + 1))[:size]


class State:
    """What a key holds: the digest of its bytes and its tags."""

    def __init__(self, body, tags=""):
        self.md5, self.size, self.tags, self.etag = hashlib.md5(body).hexdigest(), len(body), tags, None

    def same(self, other):
        return (self.md5, self.size, self.tags) == (other.md5, other.size, other.tags)

    def __repr__(self):
        return f"{self.size} bytes {self.md5[:8]} tags {self.tags!r}"


class Worker(threading.Thread):
    """Runs operations until told to stop or cut off. keys: name -> list of the states it may have."""

    def __init__(self, store, bucket, number, seed, shared):
        super().__init__(daemon=True)
        self.client = Client(store.host, store.port, store.key, store.secret)
        self.bucket, self.number, self.random = bucket, number, random.Random(seed)
        self.shared = shared
        self.may_be = {}
        self.done = 0
        self.stopping = False
        self.fault = None
        self.serial = 0

    def names(self):
        return [f"w{self.number}/k{i}" for i in range(12)]

    def state(self, key):
        return self.may_be.get(key, [GONE])[0]

    def run(self):
        try:
            while not self.stopping:
                self.step()
                self.done += 1
        except (OSError, http.client.HTTPException):
            pass		# cut off: the outcome of the last operation is unknown, and may_be says so
        except Exception as fault:
            self.fault = fault
        finally:
            self.client.close()

    def attempt(self, changes, *call, ok=(200, 204), **more):
        """One operation: its outcome is uncertain until the answer is here. changes: key -> new state."""
        for key, new in changes.items():
            self.may_be[key] = [self.state(key), new]
        answer = self.client.call(*call, **more)
        if self.shared["cut"]:
            self.stopping = True		# with the power gone this answer would not have come
        elif answer.status in ok:
            for key, new in changes.items():
                self.may_be[key] = [new]
        elif answer.status >= 500:
            self.stopping = True		# a dying disk may answer so: refused, or unknown
        else:
            raise AssertionError(f"{call} gives {answer}")
        return answer

    def step(self):
        key = self.random.choice(self.names())
        kind = self.random.choices(["put", "delete", "get", "copy", "rename", "tag", "swap", "race", "multipart", "list"],
                                   [10, 2, 3, 2, 2, 2, 2, 2, 0.3, 0.5])[0]
        if kind in ("copy", "rename", "tag", "swap", "get", "delete") and self.state(key) is GONE:
            kind = "put"
        getattr(self, kind)(key)

    def fresh(self, size=None):
        self.serial += 1
        size = self.random.choices(SIZES, WEIGHTS)[0] if size is None else size
        return content((self.bucket, self.number, self.serial, self.random.random()), size)

    def put(self, key):
        body = self.fresh()
        answer = self.attempt({key: State(body)}, "PUT", self.bucket, key, body=body)
        if answer.status == 200:
            want = f'"{hashlib.md5(body).hexdigest()}"'
            assert answer.headers["etag"] == want, f"ETag {answer.headers['etag']} of {key}, want {want}"

    def delete(self, key):
        self.attempt({key: GONE}, "DELETE", self.bucket, key)

    def get(self, key):
        answer = self.client.call("GET", self.bucket, key)
        if answer.status >= 500:
            self.stopping = True
            return
        assert answer.status == 200, f"GET {key}: {answer}"
        assert hashlib.md5(answer.body).hexdigest() == self.state(key).md5, f"GET {key}: other bytes"

    def copy(self, key):
        to = self.random.choice(self.names())
        if to == key:
            return
        source = self.state(key)
        copied = State(b"", source.tags)
        copied.md5, copied.size = source.md5, source.size
        self.attempt({to: copied}, "PUT", self.bucket, to, headers={"x-amz-copy-source": f"/{self.bucket}/{key}"})

    def rename(self, key):
        to = self.random.choice(self.names())
        if to == key:
            return
        # Neither or both: the pair is judged together by check_pairs().
        before = {key: self.state(key), to: self.state(to)}
        moved = self.state(key)
        self.renaming = (key, to, before, moved)
        self.attempt({key: GONE, to: moved}, "PUT", self.bucket, to, query={"renameObject": ""},
                     headers={"x-amz-rename-source": key})
        if not self.stopping:
            self.renaming = None

    renaming = None

    def tag(self, key):
        value = str(self.random.randrange(1000))
        now = self.state(key)
        tagged = State(b"", f"n={value}")
        tagged.md5, tagged.size = now.md5, now.size
        body = f"<Tagging><TagSet><Tag><Key>n</Key><Value>{value}</Value></Tag></TagSet></Tagging>".encode()
        self.attempt({key: tagged}, "PUT", self.bucket, key, query={"tagging": ""}, body=body)

    def swap(self, key):
        """Compare and swap on our own key: nobody else writes it, so it must succeed."""
        now = self.client.call("HEAD", self.bucket, key)
        if now.status >= 500:
            self.stopping = True
            return
        body = self.fresh(500)
        self.attempt({key: State(body)}, "PUT", self.bucket, key, headers={"if-match": now.headers["etag"]}, body=body)

    def race(self, key):
        name = f"race/{self.shared['round']}-{self.random.randrange(40)}"
        body = self.fresh(self.random.choice([100, 20000]))
        digest = hashlib.md5(body).hexdigest()
        self.shared["tried"].setdefault(name, set()).add(digest)
        answer = self.client.call("PUT", self.bucket, name, headers={"if-none-match": "*"}, body=body)
        if self.shared["cut"]:
            self.stopping = True
        elif answer.status == 200:
            self.shared["won"].setdefault(name, []).append(digest)
        elif answer.status >= 500:
            self.stopping = True
        else:
            assert answer.status in (409, 412), f"race on {name}: {answer}"

    def multipart(self, key):
        parts = [self.fresh(PART), self.fresh(self.random.choice([1, 70000]))]
        made = self.client.call("POST", self.bucket, key, query={"uploads": ""})
        if made.status != 200:
            self.stopping = True
            return
        upload = re.search(rb"<UploadId>([^<]+)", made.body).group(1).decode()
        etags = []
        for n, part in enumerate(parts, 1):
            answer = self.client.call("PUT", self.bucket, key, query={"partNumber": n, "uploadId": upload}, body=part)
            if answer.status != 200:
                self.stopping = True
                return
            etags.append(answer.headers["etag"])
        if self.random.random() < 0.3:
            self.client.call("DELETE", self.bucket, key, query={"uploadId": upload})
            return
        body = "<CompleteMultipartUpload>" + "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in enumerate(etags, 1)) + "</CompleteMultipartUpload>"
        answer = self.attempt({key: State(b"".join(parts))}, "POST", self.bucket, key, query={"uploadId": upload}, body=body.encode())
        if answer.status == 200 and b"<Error>" in answer.body:
            raise AssertionError(f"complete {key}: {answer}")

    def list(self, key):
        answer = self.client.call("GET", self.bucket, query={"list-type": 2, "prefix": f"w{self.number}/"})
        if answer.status >= 500:
            self.stopping = True
            return
        found = {e.findtext(NS + "Key") for e in xml.fromstring(answer.body).iter(NS + "Contents")}
        want = {k for k in self.names() if self.state(k) is not GONE}
        assert found == want, f"list: {sorted(found ^ want)} differ"


class Verdict:
    """What a look at the store after the crash says. lost: acknowledged changes that are not there."""

    def __init__(self):
        self.keys, self.faults = 0, []


def look(client, bucket, key):
    answer = client.call("GET", bucket, key)
    if answer.status == 404:
        return GONE
    assert answer.status == 200, f"GET {key} after the crash: {answer}"
    state = State(answer.body)
    state.etag = answer.headers["etag"].strip('"')
    if "-" not in state.etag:
        assert state.etag == state.md5, f"{key}: ETag {state.etag} but the bytes have {state.md5}"
    tags = client.call("GET", bucket, key, query={"tagging": ""})
    pairs = re.findall(rb"<Key>([^<]*)</Key><Value>([^<]*)</Value>", tags.body)
    state.tags = "&".join(f"{n.decode()}={v.decode()}" for n, v in pairs)
    return state


def judge(store, bucket, workers, shared):
    """Compare the store with what the clients were told. Afterwards may_be holds what was found."""
    client = Client(store.host, store.port, store.key, store.secret, timeout=60)
    verdict = Verdict()
    there = set()
    for worker in workers:
        if worker.fault:
            verdict.faults.append(f"worker {worker.number} before the crash: {worker.fault}")
        for key in worker.names():
            verdict.keys += 1
            try:
                found = look(client, bucket, key)
            except AssertionError as fault:
                verdict.faults.append(str(fault))
                continue
            if found is not GONE:
                there.add(key)
            allowed = worker.may_be.get(key, [GONE])
            if not any(a is found if a is GONE or found is GONE else a.same(found) for a in allowed):
                verdict.faults.append(f"{key}: found {found}, but it may only be one of {allowed}")
            worker.may_be[key] = [found]
        if worker.renaming:
            source, target, before, moved = worker.renaming
            after = (worker.state(source), worker.state(target))
            done = after[0] is GONE and after[1] is not GONE and after[1].same(moved)
            same = lambda a, b: a is b if a is GONE or b is GONE else a.same(b)
            undone = same(after[0], before[source]) and same(after[1], before[target])
            if not (done or undone):
                verdict.faults.append(f"rename {source} to {target}: neither done nor undone: {after}")
    for name, tried in shared["tried"].items():
        won = shared["won"].get(name, [])
        if len(won) > 1:
            verdict.faults.append(f"{name}: {len(won)} clients were told that they were the first")
        found = look(client, bucket, name)
        if found is GONE:
            if won:
                verdict.faults.append(f"{name}: acknowledged but gone")
        elif found.md5 not in tried or (won and found.md5 != won[0]):
            verdict.faults.append(f"{name}: not the winner's bytes")
        if found is not GONE:
            there.add(name)
    listed = listing(client, bucket)
    if not there <= listed:
        verdict.faults.append(f"not listed: {sorted(there - listed)[:5]}")
    if {k for k in listed - there if k.startswith("w")}:
        verdict.faults.append(f"listed but not there: {sorted(k for k in listed - there if k.startswith('w'))[:5]}")
    client.close()
    return verdict


def listing(client, bucket):
    keys, token = set(), None
    while True:
        query = {"list-type": 2, **({"continuation-token": token} if token else {})}
        root = xml.fromstring(client.call("GET", bucket, query=query).body)
        keys |= {e.findtext(NS + "Key") for e in root.iter(NS + "Contents")}
        token = root.findtext(NS + "NextContinuationToken")
        if not token:
            return keys
