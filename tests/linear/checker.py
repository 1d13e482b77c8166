"""Is a history linearizable? After Wing and Gong, with Lowe's memory of configurations seen.

A history is a list of Op: when it was called, when it returned (None: never, the outcome is unknown), what was asked, and what
was answered. The state is a tuple: what each key holds (an ETag, or None). step() says which states an operation may lead to.
"""
import sys
from dataclasses import dataclass
from typing import Any, Optional

sys.setrecursionlimit(100000)


@dataclass
class Op:
    client: int
    kind: str			# put, put-new, put-match, get, delete, rename, copy, list
    key: int
    begin: float
    end: Optional[float] = None		# None: no answer came
    value: Any = None			# ETag that a write would leave
    expected: Any = None		# ETag of If-Match
    to: Optional[int] = None		# rename, copy: destination
    answer: Any = None			# what came back: a status class such as "ok", "missing", "failed", or what was read


def step(state, op):
    """States that op may lead to, given its answer (any of its outcomes when there was none)."""
    now = state[op.key]
    put = lambda key, value: state[:key] + (value,) + state[key + 1:]
    unknown = op.end is None
    if op.kind == "get":
        return [state] if unknown or op.answer == now else []
    if op.kind == "list":
        return [state] if unknown or op.answer == tuple(v is not None for v in state) else []
    if op.kind == "put":
        return [put(op.key, op.value)] if unknown or op.answer == "ok" else []
    if op.kind == "delete":
        return [put(op.key, None)] if unknown or op.answer == "ok" else []
    if op.kind == "put-new":
        done, refused = now is None, {"failed": now is not None, "conflict": True}
    elif op.kind == "put-match":
        done, refused = now is not None and now == op.expected, {
            "missing": now is None, "failed": now is not None and now != op.expected, "conflict": True}
    elif op.kind in ("rename", "copy"):
        done, refused = now is not None, {"missing": now is None, "conflict": True}
    else:
        raise ValueError(op.kind)
    after = []
    if done and (unknown or op.answer == "ok"):
        if op.kind == "rename":
            moved = list(state)
            moved[op.key], moved[op.to] = None, now
            after.append(tuple(moved))
        elif op.kind == "copy":
            after.append(put(op.to, now))
        else:
            after.append(put(op.key, op.value))
    if not unknown and refused.get(op.answer, False):
        after.append(state)
    if unknown and not done:
        after.append(state)
    return after


def linearizable(history, keys):
    """True if some order explains every answer. An operation without an answer may take effect at any later time, or never."""
    ops = sorted(history, key=lambda op: op.begin)
    ends = [op.end if op.end is not None else float("inf") for op in ops]
    answered = sum(1 << i for i, op in enumerate(ops) if op.end is not None)
    seen = set()
    stack = [(0, (None,) * keys)]
    while stack:
        done, state = stack.pop()
        if done & answered == answered:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        # An operation may come next if it began before the first end among those not yet placed.
        first_end = float("inf")
        for i, op in enumerate(ops):
            if op.begin > first_end:
                break
            if not done >> i & 1:
                first_end = min(first_end, ends[i])
        for i, op in enumerate(ops):
            if op.begin > first_end:
                break
            if not done >> i & 1:
                stack += [(done | 1 << i, after) for after in step(state, op)]
    return False
