"""Our records are protocol buffers of src/meta/record.proto: the protobuf library reads what we write, and we read what it writes.

Random messages of each kind, as sound as records are; CAISSON_SEED=n replays a run. --corpus DIR writes them as seeds of fuzz_record.
"""
import os
import random
import re
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEED = int(os.environ.get("CAISSON_SEED", random.randrange(1 << 32)))
ROUNDS = int(os.environ.get("CAISSON_ROUNDS", 400))
KINDS = ["Object", "Upload", "Part", "PartTable", "BlobOwner", "Bucket", "Link", "Pending", "Token", "Dead"]     # enum record_kind
DIGESTS = {1: 20, 2: 32, 3: 4, 4: 4, 5: 8}


def schema():
    """The messages of record.proto, as classes: its few kinds of lines are read here, so that no compiler is needed."""
    with open(os.path.join(TOP, "src", "meta", "record.proto")) as source:
        text = re.sub(r"/\*.*?\*/", "", source.read(), flags=re.S)
    types = {n: getattr(descriptor_pb2.FieldDescriptorProto, "TYPE_" + n.upper()) for n in ("bytes", "uint32", "uint64", "bool")}
    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="caisson", syntax="proto3")
    for name, body in re.findall(r"message (\w+) \{(.*?)\n\}", text, re.S):
        message = file.message_type.add(name=name)
        for repeated, kind, field, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body):
            added = message.field.add(name=field, number=int(number), label=3 if repeated else 1)
            if kind in types:
                added.type = types[kind]
            else:
                added.type, added.type_name = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE, ".caisson." + kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {m.name: message_factory.GetMessageClass(pool.FindMessageTypeByName("caisson." + m.name)) for m in file.message_type}


SCHEMA = schema()


class Maker:
    """Sound records at random."""

    def __init__(self, rng):
        self.rng = rng

    def number(self, most=(1 << 64) - 1):
        return min(most, self.rng.choice([0, 1, 127, 128, 300, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, most, self.rng.randrange(1 << 64)]))

    def bytes(self, most=40):
        return self.rng.randbytes(self.rng.choice([0, 1, self.rng.randrange(most)]))

    def id(self):
        return b"\x01" + self.rng.randbytes(15)

    def maybe(self):
        return self.rng.random() < 0.5

    def checksum(self, to):
        to.alg = self.rng.randrange(1, 6)
        to.type = self.rng.randrange(2)
        to.value = self.rng.randbytes(DIGESTS[to.alg])

    def sse(self, to):
        to.key_md5, to.salt, to.check = self.rng.randbytes(16), self.rng.randbytes(16), self.rng.randbytes(32)

    def extent(self, to, most=1 << 62):
        to.blob, to.place = self.id(), self.number()
        to.off, to.len = self.number(most // 2), self.number(most // 2)
        to.blob_size = to.off + to.len + self.rng.randrange(3)

    def pairs(self, *lists):
        for each in lists:
            for _ in range(self.rng.choice([0, 0, 1, 3])):
                each.add(name=self.bytes(), value=self.bytes(200))

    def runs(self, to, most=20):
        """(parts, bytes)"""
        parts = size = 0
        first = 1
        for _ in range(self.rng.randrange(1, most)):
            first += self.rng.randrange(3)
            run = to.add(first=first, count=self.rng.randrange(1, 50), size=self.rng.choice([0, 1, 5 << 20, self.rng.randrange(1 << 33)]))
            first += run.count
            parts += run.count
            size += run.count * run.size
        return parts, size

    def Object(self, m):
        m.version, m.oid, m.null_version, m.modified_ms = self.id(), self.id(), self.maybe(), self.number()
        m.storage_class, m.owner_org = self.rng.randrange(2), self.bytes()
        form = self.rng.randrange(3)
        if form < 2:
            m.etag_md5 = self.rng.randbytes(16)
            m.etag_parts = self.rng.choice([0, 1, 10, 10000]) if form else 0
        else:
            m.etag = b"z" + self.bytes()
        if self.maybe():
            self.checksum(m.checksum)
        m.data = self.rng.randrange(4)
        if m.data == 0:
            m.delete_marker = self.maybe()
        elif m.data == 1:
            m.inlined = b"i" + self.bytes(3000)
            m.size = len(m.inlined)
        elif m.data == 2:
            self.extent(m.extent)
            m.body, m.size = m.extent.blob, m.extent.len
        else:
            m.body = self.id()
            m.parts, m.size = self.runs(m.run, 15)
        if m.data > 1 and self.maybe():
            self.sse(m.sse)
        self.pairs(m.header, m.metadata, m.tag)

    def Upload(self, m):
        m.started_ms, m.owner_org, m.initiator, m.storage_class = self.number(), self.bytes(), self.bytes(), self.rng.randrange(2)
        m.checksum_set, m.checksum_alg, m.checksum_type, m.generation = self.maybe(), self.rng.randrange(6), self.rng.randrange(2), self.number()
        if self.maybe():
            self.sse(m.sse)
        self.pairs(m.header, m.metadata, m.tag)

    def Part(self, m):
        m.modified_ms, m.md5, m.oid = self.number(), self.rng.randbytes(16), self.id()
        if self.maybe():
            m.etag = b"z" + self.bytes()
        if self.maybe():
            self.checksum(m.checksum)
        if self.maybe():
            m.inlined = self.bytes(3000)
            m.size = len(m.inlined)
            return
        if self.maybe():
            m.body = self.id()
        for _ in range(self.rng.randrange(1, 5)):
            self.extent(m.extent.add(), 1 << 59)
        m.size = sum(e.len for e in m.extent)
        if self.maybe():
            self.sse(m.sse)

    def PartTable(self, m):
        self.runs(m.run, 100)

    def BlobOwner(self, m):
        m.upload, m.part = self.id(), self.rng.randrange(1, 10001)

    def Bucket(self, m):
        m.name, m.space, m.state, m.versioning = b"b" + self.bytes(), 1 + self.number((1 << 32) - 2), self.rng.randrange(3), self.rng.randrange(3)
        m.deleted_ms = self.number()
        m.org, m.location, m.creator = self.bytes(), self.bytes(), self.bytes()
        m.created_ms, m.generation, m.capacity_cap, m.archive_days = self.number(), self.number(), self.number(), self.number((1 << 32) - 1)
        for flag in ("has_policy", "has_lifecycle", "has_cors", "has_tags", "audit", "archive"):
            setattr(m, flag, self.maybe())

    def Link(self, m):
        m.generation, m.condemned = self.number((1 << 64) - 2), self.maybe()
        if self.maybe():
            m.owner = self.id()
        if self.maybe():
            self.extent(m.blob)
            m.blob.off, m.blob.len = 0, m.blob.blob_size

    def Pending(self, m):
        m.made_ms, m.body, m.space = self.number(), self.id(), 1 + self.number((1 << 32) - 2)
        if self.maybe():
            m.key = b"k" + self.bytes()
        else:
            m.upload, m.part = self.id(), self.rng.randrange(10001)

    def Token(self, m):
        m.made_ms, m.parameters = self.number(), self.rng.randbytes(32)

    def Dead(self, m):
        m.kind, m.body, m.owner = self.rng.choice([0, 1, 2, 4]), self.id(), self.rng.choice([b"", self.id()])
        m.part, m.token = self.bytes(), self.bytes()

    def record(self, kind):
        """(what stands before the message, message)"""
        message = SCHEMA[kind]()
        getattr(self, kind)(message)
        before = b"\x01"
        if kind == "Object":
            null = self.maybe()
            before += bytes([self.rng.randrange(2) | 2 * null]) + (self.id() if null else b"")
        return before, message


class Driver:
    def __init__(self, build):
        self.process = subprocess.Popen([os.path.join(TOP, build, "tests", "fuzz", "record_driver")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def again(self, kind, raw):
        self.process.stdin.write(f"{KINDS.index(kind)} {raw.hex()}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer, "the driver died"
        return None if answer == "bad" else bytes.fromhex(answer)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(20) == 0


@pytest.fixture
def driver(build):
    running = Driver(build)
    yield running
    running.close()


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways(driver, kind):
    maker = Maker(random.Random(f"{SEED} {kind}"))
    for number in range(ROUNDS):
        before, message = maker.record(kind)
        theirs = message.SerializeToString(deterministic=True)
        ours = driver.again(kind, before + theirs)
        where = f"seed {SEED} round {number}\n{message}\n{(before + theirs).hex()}"
        assert ours is not None, "we do not read: " + where
        assert ours[:len(before)] == before, where
        read = SCHEMA[kind]()
        read.ParseFromString(ours[len(before):])
        assert read == message, f"{where}\ncame back as\n{read}"
        assert ours == before + theirs, f"other bytes: {where}\n{ours.hex()}"


def test_unknown_fields_are_skipped(driver):
    """What a newer program adds, of any wire type, in any place."""
    maker = Maker(random.Random(SEED))
    for number in range(ROUNDS // 4):
        kind = maker.rng.choice(KINDS)
        before, message = maker.record(kind)
        theirs = message.SerializeToString(deterministic=True)
        new = maker.rng.choice([b"\xf8\x06\x96\x01", b"\xfa\x06\x03abc", b"\xfd\x06abcd", b"\xf9\x06abcdefgh"])    # field 111
        raw = before + (new + theirs if maker.maybe() else theirs + new)
        assert driver.again(kind, raw) == before + theirs, f"seed {SEED} round {number}\n{raw.hex()}"


def test_damaged_messages(driver):
    """Where the library refuses the bytes as no message at all, so do we."""
    maker = Maker(random.Random(SEED))
    refused = 0
    for number in range(ROUNDS):
        kind = maker.rng.choice(KINDS)
        before, message = maker.record(kind)
        theirs = bytearray(message.SerializeToString(deterministic=True))
        if not theirs:
            continue
        theirs = theirs[:maker.rng.randrange(len(theirs))] if maker.maybe() else theirs
        for _ in range(maker.rng.randrange(4)):
            if theirs:
                theirs[maker.rng.randrange(len(theirs))] ^= 1 << maker.rng.randrange(8)
        ours = driver.again(kind, before + bytes(theirs))
        try:
            SCHEMA[kind]().ParseFromString(bytes(theirs))
        except Exception:
            refused += 1
            assert ours is None, f"seed {SEED} round {number}: we read what is no message\n{bytes(theirs).hex()}"
    assert refused > ROUNDS / 50


if __name__ == "__main__":
    folder, made = sys.argv[sys.argv.index("--corpus") + 1], Maker(random.Random(1))
    for kind in KINDS:
        for number in range(2):
            before, message = made.record(kind)
            with open(os.path.join(folder, f"{kind}-{number}"), "wb") as out:
                out.write(bytes([KINDS.index(kind)]) + before + message.SerializeToString(deterministic=True))
