"""What a look at the store after a crash says: is anything lost that was acknowledged, half there, or other than its checksum?"""
import base64
import functools
import hashlib
import http.client
import json
import re
import xml.etree.ElementTree as xml

from s3lib import Client
from workload import CREATE, GONE, NS, PART, SUMS, Control, State

CRC64_MAX = 16384		# bytes whose CRC64-NVME is worth its time here
CRC64 = [functools.reduce(lambda n, _: n >> 1 ^ (0x9a6c9329ac4bc9b5 if n & 1 else 0), range(8), n) for n in range(256)]


def crc64nvme(body):
    value = (1 << 64) - 1
    for byte in body:
        value = value >> 8 ^ CRC64[(value ^ byte) & 255]
    return (value ^ ((1 << 64) - 1)).to_bytes(8, "big")


def judge_sums(key, answer):
    """ETag and checksums of a whole answer are those of its bytes. How many checksums there were."""
    body, etag = answer.body, answer.headers["etag"].strip('"')
    if "-" in etag:		# of parts, all but the last of the one size
        parts = [hashlib.md5(body[at:at + PART]).digest() for at in range(0, len(body), PART)]
        assert etag == f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}", f"{key}: ETag {etag} is not that of the parts: {runs(body)}"
    else:
        assert etag == hashlib.md5(body).hexdigest(), f"{key}: ETag {etag}, but the bytes have {hashlib.md5(body).hexdigest()}: {runs(body)}"
    found = {n: v for n, v in answer.headers.items() if re.fullmatch(r"x-amz-checksum-(sha256|sha1|crc32|crc64nvme)", n)}
    if answer.headers.get("x-amz-checksum-type") != "FULL_OBJECT":
        return 0
    for name, value in found.items():
        if name in SUMS or len(body) <= CRC64_MAX:
            want = base64.b64encode(SUMS.get(name, crc64nvme)(body)).decode()
            assert value == want, f"{key}: {name} {value}, but the bytes have {want}"
    return len(found)


def runs(body):
    """Whose bytes these are, as content() makes them: where a run of one write's bytes begins, and the first four of its unit."""
    found, last = [], None
    for at in range(0, len(body), 32):
        unit = body[at:at + 32]
        if unit != last and not (len(unit) < 32 and (last or b"").startswith(unit)):
            found.append((at, unit[:4].hex()))
        last = unit
    return f"{len(body)} bytes, runs at {found[:6]}"


def listed_as(answer):
    return len(answer.body), answer.headers["etag"]


class Verdict:
    """faults: one sentence each. Whatever goes wrong while looking is a fault too, never an exception."""

    def __init__(self, store, bucket):
        self.client = Client(store.host, store.port, store.key, store.secret, timeout=60)
        self.control = Control(store)
        self.bucket = bucket
        self.keys, self.sums, self.faults = 0, 0, []

    def say(self, text):
        self.faults.append(text)

    def check(self, what, function, *arguments):
        """A step; its failure is one fault. Gives what it gives, or None."""
        try:
            return function(*arguments)
        except AssertionError as fault:
            self.say(f"{what}: {fault}")
        except (OSError, http.client.HTTPException, xml.ParseError, KeyError, ValueError) as broken:
            self.say(f"{what}: {type(broken).__name__}: {broken}")
            self.client.close()
        return None

    def get(self, bucket, key):
        """A GET with its checksums, which are judged. If the bytes are others, a second look says whether they stay so."""
        ask = functools.partial(self.client.call, "GET", bucket, key, headers={"x-amz-checksum-mode": "ENABLED"})
        answer = ask()
        if answer.status == 200:
            try:
                self.sums += judge_sums(key, answer)
            except AssertionError as fault:
                again = ask()
                raise AssertionError(f"{fault}; {answer.headers}; another GET: {hashlib.md5(again.body).hexdigest()} {runs(again.body)}; "
                                     f"{again.headers}") from fault
        return answer

    def look(self, key, there=None):
        """The state of a key, GONE, or an AssertionError. there: what listings must say of it."""
        answer = self.get(self.bucket, key)
        if answer.status == 404:
            return GONE
        assert answer.status == 200, answer
        state = State(answer.body)
        if there is not None:
            there[key] = listed_as(answer)
        tags = self.client.call("GET", self.bucket, key, query={"tagging": ""})
        assert tags.status == 200, tags
        pairs = re.findall(rb"<Key>([^<]*)</Key><Value>([^<]*)</Value>", tags.body)
        state.tags = "&".join(f"{n.decode()}={v.decode()}" for n, v in pairs)
        return state

    def judge_key(self, worker, key, there):
        self.keys += 1
        try:
            found = self.look(key, there)
        except AssertionError as fault:
            raise AssertionError(f"{fault}; may be {[s and (s.md5, s.size) for s in worker.may(key)]}") from fault
        allowed = worker.may(key)
        worker.may_be[key] = [found]
        assert found in allowed, f"found {found}, but it may only be one of {allowed}"

    @staticmethod
    def judge_pair(worker, source, target, before, moved):
        """Neither both names nor neither."""
        after = worker.may(source)[0], worker.may(target)[0]
        assert after in ((GONE, moved), before), f"neither done nor undone: {after}"

    def judge_short(self, worker, name):
        answer = self.client.call("GET", self.bucket, name)
        assert answer.status in (200, 404), answer
        if answer.status == 200:
            assert hashlib.md5(answer.body).hexdigest() in worker.short_lived[name], "bytes that nobody wrote"

    def judge_race(self, shared, name, there):
        tried, won = shared.tried[name], shared.won.get(name, [])
        assert len(won) <= 1, f"{len(won)} clients were told that they were the first"
        found = self.look(name, there)
        assert found is not GONE or not won, "acknowledged but gone"
        if found is not GONE:
            assert found.md5 in tried and (not won or found.md5 == won[0]), "not the winner's bytes"

    def judge_versions(self, worker, key):
        query = {"versions": "", "prefix": key}
        answer = self.client.call("GET", self.bucket + "-versions", query=query)
        assert answer.status == 200, answer
        found = []
        for element in xml.fromstring(answer.body):
            if element.tag in (NS + "Version", NS + "DeleteMarker"):
                etag = element.findtext(NS + "ETag")
                found.append((element.findtext(NS + "VersionId"), etag.strip('"') if etag else None))
        held, (kind, what) = worker.versions.get(key, []), worker.pending.get(key, (None, None))
        worker.versions[key] = found
        if kind == "new" and len(found) == len(held) + 1 and found[0][1] == what:
            held = found[:1] + held
        if kind == "gone" and what not in found:
            held = [v for v in held if v != what]
        assert found == held, f"versions {found}, but acknowledged were {held}, in doubt {kind} {what}"
        for version, digest in found:
            answer = self.client.call("GET", self.bucket + "-versions", key, query={"versionId": version})
            self.keys += 1
            if digest is None:
                assert answer.status == 405, f"delete marker {version}: {answer}"
            else:
                assert answer.status == 200, f"version {version}: {answer}"
                assert hashlib.md5(answer.body).hexdigest() == digest, f"version {version}: other bytes"

    def judge_bucket(self, worker, name):
        """There or not, as a listing, the head, and what may be put there agree; and a half-made one can be made whole."""
        status = self.client.call("HEAD", name).status
        assert status in (200, 404) and (status == 200) in worker.buckets[name], f"HEAD {status}, may be there: {worker.buckets[name]}"
        listed = f"<Name>{name}</Name>".encode() in self.client.call("GET", "").body
        assert listed == (status == 200), f"HEAD {status}, listed: {listed}"
        made = self.client.call("PUT", name, body=CREATE)
        assert made.status == 200, made
        for key in re.findall(rb"<Key>([^<]+)", self.client.call("GET", name, query={"list-type": 2}).body):
            self.client.call("DELETE", name, key.decode())
        gone = self.client.call("DELETE", name)
        assert gone.status == 204, gone
        worker.buckets[name] = [False]

    def judge_access(self, worker):
        answer = self.control.call("GET", "/v1/cwobject/access-policy")
        assert answer.status == 200, answer
        listed = {p["name"]: p["statements"][0]["resources"][0] for p in json.loads(answer.body)["policies"]}
        for name, allowed in worker.policies.items():
            found = listed.get(name, GONE)
            worker.policies[name] = [found]
            assert found in allowed, f"policy {name}: found {found}, but it may only be one of {allowed}"
        for key, allowed in list(worker.keys_made.items()) + [(key, [False]) for key in worker.revoked]:
            answer = self.control.call("GET", f"/v1/cwobject/access-key/{key}")
            found = answer.status == 200
            assert answer.status in (200, 404) and found in allowed, f"access key {key}: {answer}, may be there: {allowed}"
            if found:
                worker.keys_made[key] = [True]
            else:
                worker.keys_made.pop(key, None)
        worker.revoked = []

    def listing(self, bucket):
        """key -> (size, ETag)"""
        listed, token = {}, None
        while True:
            answer = self.client.call("GET", bucket, query={"list-type": 2, **({"continuation-token": token} if token else {})})
            assert answer.status == 200, answer
            root = xml.fromstring(answer.body)
            for element in root.iter(NS + "Contents"):
                listed[element.findtext(NS + "Key")] = int(element.findtext(NS + "Size")), element.findtext(NS + "ETag")
            token = root.findtext(NS + "NextContinuationToken")
            if not token:
                return listed

    def judge_listing(self, there, gone):
        """Listings say what GETs have said: which keys, how large, with what ETag."""
        listed = self.listing(self.bucket)
        assert there.keys() <= listed.keys(), f"not listed: {sorted(there.keys() - listed.keys())[:5]}"
        assert not gone & listed.keys(), f"listed but not there: {sorted(gone & listed.keys())[:5]}"
        wrong = {key: (listed[key], says) for key, says in there.items() if listed[key] != says}
        assert not wrong, f"listed otherwise than a GET says: {wrong}"

    def judge_other(self):
        """The bucket beside, whose bytes are shared: whatever is listed can be read, and is what its checksums say."""
        for key, says in self.listing(self.bucket + "-other").items():
            answer = self.get(self.bucket + "-other", key)
            self.keys += 1
            assert answer.status == 200 and listed_as(answer) == says, f"{key}: {answer.status} {answer.headers}, listed as {says}"

    def judge_uploads(self):
        """What was under way can be listed, and is ended, so that its bytes must go."""
        answer = self.client.call("GET", self.bucket, query={"uploads": ""})
        assert answer.status == 200, answer
        for upload in xml.fromstring(answer.body).iter(NS + "Upload"):
            key, name = upload.findtext(NS + "Key"), upload.findtext(NS + "UploadId")
            parts = self.client.call("GET", self.bucket, key, query={"uploadId": name})
            assert parts.status == 200, parts
            ended = self.client.call("DELETE", self.bucket, key, query={"uploadId": name})
            assert ended.status == 204, ended

    def forget_races(self, shared):
        """So that a long campaign's disk does not fill."""
        for name in shared.tried:
            self.client.call("DELETE", self.bucket, name)


def judge(store, bucket, workers, shared):
    """Compare the store with what the clients were told. Afterwards the workers hold what was found."""
    verdict, there, gone = Verdict(store, bucket), {}, set()
    for worker in workers:
        if worker.fault:
            verdict.say(f"worker {worker.number} before the crash: {worker.fault}")
            worker.fault = None
        for key in worker.names():
            verdict.check(key, verdict.judge_key, worker, key, there)
        gone |= {k for k in worker.names() if worker.may(k) == [GONE]}
        for pair in worker.pairs:
            verdict.check(f"rename {pair[0]} to {pair[1]}", verdict.judge_pair, worker, *pair)
        worker.pairs = []
        for name in worker.short_lived:
            verdict.check(name, verdict.judge_short, worker, name)
        for key in worker.version_names():
            verdict.check(key, verdict.judge_versions, worker, key)
        worker.pending = {}
        for name in worker.buckets:
            verdict.check(name, verdict.judge_bucket, worker, name)
        verdict.check("access", verdict.judge_access, worker)
    for name in shared.tried:
        verdict.check(name, verdict.judge_race, shared, name, there)
    verdict.check("listing", verdict.judge_listing, there, gone)
    verdict.check("the bucket beside", verdict.judge_other)
    verdict.check("uploads", verdict.judge_uploads)
    verdict.check("races", verdict.forget_races, shared)
    verdict.client.close()
    verdict.control.close()
    return verdict
