"""Any state that a disk may be in after a power cut, built from what the shim has logged.

What POSIX promises, and no more: a flush of a file keeps what had been written to it before; a flush of a directory keeps the names made or
removed in it before; a rename within a directory is one step. All else may be on disk or not, in any order: each sector (512 or 4096 bytes)
of what was written holds any of the contents that it had since, names come and go one by one. A flush that failed keeps
nothing, and what it should have kept is never kept by a later one.

One thing more than POSIX promises is taken for granted, and only of the directory of the index: that names there become durable in the
order in which they were made. RocksDB relies on it when it begins a list of tables (MANIFEST) and then names it (CURRENT); every
file system with a journal of its directories does so.
"""
import functools
import itertools
import math
import os
import random
import struct

IN_ORDER = "index"		# the directory whose names come in order
HEAD = struct.Struct("<IIQQQII")
MAGIC = 0x4C4F4721
(CREATE, MKDIR, WRITE, SIZE, ZERO, EXTEND, RENAME, LINK, UNLINK, RMDIR, SYNC, SYNC_FAILED, SYNC_ALL, MARK) = range(1, 15)


class Entry:
    __slots__ = ("at", "end", "kind", "ino", "a", "b", "data", "data2")

    def __init__(self, at, end, kind, ino, a, b, data, data2):
        self.at, self.end, self.kind, self.ino, self.a, self.b, self.data, self.data2 = at, end, kind, ino, a, b, data, data2


def read_log(path):
    with open(path, "rb") as log:
        text = log.read()
    at, entries = 0, []
    while at + HEAD.size <= len(text):
        magic, kind, ino, a, b, n, n2 = HEAD.unpack_from(text, at)
        assert magic == MAGIC, f"log is broken at {at}"
        end = at + HEAD.size + n + n2
        if end > len(text):
            break
        entries.append(Entry(at, end, kind, ino, a, b, text[at + HEAD.size:at + HEAD.size + n], text[end - n2:end]))
        at = end
    return entries


class File:
    """A file or a directory. steps: what was done to it, in order; each is [entry, dropped by a failed flush]."""

    def __init__(self, is_dir, content=b"", name=""):
        self.is_dir, self.content, self.steps = is_dir, content, []
        self.ordered = is_dir and name == IN_ORDER
        self.flushed = 0		# log length at the beginning of the last good flush

    def kept(self, step):
        return step[0].end <= self.flushed and not step[1]


class Image:
    """The state before the log begins; take() reads it from a directory whose program is stopped."""

    def __init__(self, top):
        self.top = os.path.realpath(top)
        self.files, self.names = {}, {}
        self._take(self.top)

    def _take(self, path):
        status = os.lstat(path)
        if os.path.isdir(path):
            self.files[status.st_ino] = (True, b"", os.path.basename(path))
            for name in os.listdir(path):
                self.names[status.st_ino, name] = os.lstat(os.path.join(path, name)).st_ino
                self._take(os.path.join(path, name))
        else:
            with open(path, "rb") as file:
                self.files[status.st_ino] = (False, file.read())
        self.root = self.files and os.lstat(self.top).st_ino


class Cut:
    """The disk as the log says when it is `length` bytes long; build() writes one of the states that it may be in."""

    def __init__(self, image, entries, length):
        self.image = image
        self.object = {ino: File(*what) for ino, what in image.files.items()}
        self.base = {(self.object[up], name): self.object[ino] for (up, name), ino in image.names.items()}
        self.root = self.object[image.root]
        # Changes of names in order, each one step: [entry, dropped, [(directory, name, object or None)], the change it must follow].
        self.changes = []
        for entry in entries:
            if entry.end > length:
                break
            self._apply(entry)

    def _apply(self, e):
        get = self.object.get
        if e.kind in (CREATE, MKDIR):
            self.object[e.ino] = File(e.kind == MKDIR, name=e.data.decode())
        file = get(e.ino)
        if e.kind in (CREATE, MKDIR, LINK, UNLINK, RMDIR, RENAME):
            if get(e.a) is None or file is None:
                return			# not of ours: a log file that the shim does not see
            name = (get(e.a), e.data.decode(), None if e.kind in (UNLINK, RMDIR, RENAME) else file)
            if e.kind != RENAME:
                self.changes.append([e, False, [name], None])
            elif e.a == e.b:
                self.changes.append([e, False, [(get(e.b), e.data2.decode(), file), name], None])
            else:			# the new name first: a file is never without any
                self.changes.append([e, False, [(get(e.b), e.data2.decode(), file)], None])
                self.changes.append([e, False, [name], self.changes[-1]])
        elif e.kind in (WRITE, SIZE, ZERO, EXTEND) and e.ino in self.object:
            self.object[e.ino].steps.append([e, False])
        elif e.kind == SYNC and e.ino in self.object:
            self.object[e.ino].flushed = max(self.object[e.ino].flushed, e.a)
        elif e.kind == SYNC_ALL:
            for file in self.object.values():
                file.flushed = max(file.flushed, e.a)
        elif e.kind == SYNC_FAILED and e.ino in self.object:
            file = self.object[e.ino]
            for step in file.steps:
                step[1] = step[1] or not file.kept(step)
            for change in self.changes:
                if change[2][0][0] is file and not change[0].end <= file.flushed:
                    change[1] = True

    def _needs(self):
        """(of each change those that it must follow, those that were flushed with all that they need)"""
        last, needs, must = {}, [], set()
        for n, (entry, dropped, what, after) in enumerate(self.changes):
            needs.append({last[up, name] for up, name, _ in what if (up, name) in last})
            if after is not None:
                needs[n].add(next(i for i, c in enumerate(self.changes) if c is after))
            needs[n] |= {last[up] for up, _, _ in what if up.ordered and up in last}
            for up, name, _ in what:
                last[up, name] = last[up] = n
            if not dropped and any(entry.end <= up.flushed for up, _, _ in what):
                todo = [n]
                while todo:
                    one = todo.pop()
                    if one not in must:
                        must.add(one)
                        todo += needs[one]
        return needs, must

    def _names(self, chosen):
        names = dict(self.base)
        for n in sorted(chosen):
            for up, name, file in self.changes[n][2]:
                if file is None:
                    names.pop((up, name), None)
                else:
                    names[up, name] = file
        return names

    def _some_names(self, chance, keep):
        """A set of changes that includes all kept ones, and with each what came before it at the same names."""
        needs, must = self._needs()
        chosen = set()
        for n in range(len(self.changes)):
            if n in must or (needs[n] <= chosen and chance.random() < keep):
                chosen.add(n)
        return self._names(chosen)

    def _all_names(self, limit):
        """Every such set; None: there are more than limit."""
        needs, must = self._needs()
        sets = [frozenset()]
        for n in range(len(self.changes)):
            with_it = [s | {n} for s in sets if needs[n] <= s]
            sets = with_it if n in must else sets + with_it
            if len(sets) > limit:
                return None
        return [self._names(s) for s in sets]

    @staticmethod
    def _contents(file, sector):
        """(its bytes as flushed, the sizes that it had since, sector -> the contents that it had since)"""
        now = bytearray(file.content)
        rest = [s for s in file.steps if not file.kept(s)]
        for step in file.steps:
            if file.kept(step):
                _step(now, step[0])
        versions, full, sizes = {}, bytearray(now), [len(now)]
        for step, _ in rest:
            before = len(full)
            _step(full, step)
            sizes.append(len(full))
            first, last = _touched(step, before, len(full))
            for s in range(first // sector, (last + sector - 1) // sector):
                versions.setdefault(s, []).append(bytes(full[s * sector:(s + 1) * sector]))
        return now, sizes, versions

    @staticmethod
    def _put_together(flushed, end, picked, sector):
        now = bytearray(flushed)
        most = max([end, *(s * sector + len(p) for s, p in picked.items())])
        now.extend(bytes(max(0, most - len(now))))
        for s, content in picked.items():
            now[s * sector:s * sector + len(content)] = content
        del now[end:]
        return now

    def _some_content(self, file, chance, keep, sector):
        """Sector by sector one of the contents that it had since the last flush. The size likewise."""
        flushed, sizes, versions = self._contents(file, sector)
        end = sizes[-1] if chance.random() < keep else chance.choice(sizes)
        picked = {s: contents[-1] if chance.random() < 0.7 else chance.choice(contents)
                  for s, contents in versions.items() if chance.random() < keep}
        return self._put_together(flushed, end, picked, sector)

    def _all_contents(self, file, sector, limit):
        """All that it may hold, without the same twice; None: there are more than limit."""
        flushed, sizes, versions = self._contents(file, sector)
        choices = [[None, *dict.fromkeys(contents)] for contents in versions.values()]
        ends = list(dict.fromkeys(sizes))
        if math.prod(map(len, choices)) * len(ends) > 4 * limit:
            return None
        found = {}
        for end in ends:
            for picked in itertools.product(*choices):
                content = self._put_together(flushed, end, {s: p for s, p in zip(versions, picked) if p is not None}, sector)
                found[bytes(content)] = None
        return list(found) if len(found) <= limit else None

    def build(self, seed, top, keep=None):
        """One of the states, by chance. keep: the share of what was not flushed that is on disk all the same; None: chance decides."""
        chance = random.Random(seed)
        if keep is None:
            keep = chance.choice([0, 0, 0.1, 0.5, 0.5, 0.9, 1])
        sector = chance.choice([512, 4096])
        names = self._some_names(chance, keep)
        write(self.root, names, top, lambda file: self._some_content(file, chance, keep, sector))

    def every(self, limit, sector, passive=()):
        """
        Every state that the disk may be in, as functions that write it to a directory: each set of names that may be there, and in each file
        each choice of sectors. passive: names of files whose bytes nobody reads. None: there are more than limit.
        """
        all_names = self._all_names(limit)
        if all_names is None:
            return None
        found, contents = [], {}
        for names in all_names:
            files = {id(f): f for (_, name), f in names.items() if not f.is_dir and name not in passive}
            for key, file in files.items():
                if key not in contents:
                    contents[key] = self._all_contents(file, sector, limit)
                if contents[key] is None:
                    return None
            if len(found) + math.prod(len(contents[key]) for key in files) > limit:
                return None
            for picked in itertools.product(*(contents[key] for key in files)):
                chosen = dict(zip(files, picked))
                found.append(functools.partial(write, self.root, names, content=lambda f, c=chosen: c.get(id(f), b"")))
        return found


def write(root, names, top, content):
    """A disk with these names; content(file) gives its bytes."""
    below = {}
    for (up, name), file in names.items():
        below.setdefault(id(up), []).append((name, file))
    made, todo = {}, [(root, top)]
    while todo:
        folder, path = todo.pop()
        os.makedirs(path, exist_ok=True)
        for name, file in sorted(below.get(id(folder), []), key=lambda x: x[0]):
            where = os.path.join(path, name)
            if file.is_dir:
                todo.append((file, where))
            elif id(file) in made:
                os.link(made[id(file)], where)
            else:
                made[id(file)] = where
                write_sparse(where, content(file))


def _touched(e, before, after):
    if e.kind == WRITE:
        return min(e.a, before), e.a + len(e.data)
    if e.kind == ZERO:
        return e.a, min(e.a + e.b, after)
    return min(before, after), max(before, after)


def _step(content, e):
    if e.kind == WRITE:
        if len(content) < e.a:
            content.extend(bytes(e.a - len(content)))
        content[e.a:e.a + len(e.data)] = e.data
    elif e.kind == ZERO:
        end = min(e.a + e.b, len(content))
        if end > e.a:
            content[e.a:end] = bytes(end - e.a)
    elif e.kind == SIZE:
        if e.a < len(content):
            del content[e.a:]
        else:
            content.extend(bytes(e.a - len(content)))
    elif e.kind == EXTEND and len(content) < e.a + e.b:
        content.extend(bytes(e.a + e.b - len(content)))


def write_sparse(path, content, page=4096):
    """Zero pages become holes, as on the disk that this is a picture of."""
    zero = bytes(page)
    with open(path, "wb") as file:
        for at in range(0, len(content), page):
            piece = content[at:at + page]
            if piece != zero[:len(piece)]:
                file.seek(at)
                file.write(piece)
        file.truncate(len(content))
