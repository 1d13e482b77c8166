"""Is a history linearizable? After Wing and Gong, with Lowe's memory of configurations seen.

A history is a list of Op: when it was called, when it returned (None: never, the outcome is unknown), what was asked, and what
was answered. The state is a tuple: what each key holds (an ETag, or None). step() says which states an operation may lead to.
Histories over other keys are independent of each other: each is judged by itself.
"""
from dataclasses import dataclass
from typing import Any, Optional


@dataclass
class Op:
    client: int
    kind: str			# put, get, delete, rename, copy, list
    key: int			# rename, copy: source
    begin: float
    end: Optional[float] = None		# None: no answer came
    value: Any = None			# ETag that a put would leave
    new: bool = False			# If-None-Match: * on the key that is written
    expected: Any = None		# If-Match of what is put over or deleted, or of the source of a rename or copy
    to: Optional[int] = None		# rename, copy: destination
    answer: Any = None			# of a get: ETag or None; of a list: a tuple of bools; else ok, missing, failed, conflict


def refusals(state, op):
    """The answers that refuse op in this state. None of them: it is done."""
    source, target = state[op.key], state[op.key if op.to is None else op.to]
    found = set()
    if op.kind in ("rename", "copy") and source is None:
        return {"missing"}
    if op.expected is not None and source is None:
        found.add("missing")
    elif op.expected is not None and source != op.expected:
        found.add("failed")
    if op.new and target is not None:
        found.add("failed")
    return found


def done(state, op):
    """The state that op leaves."""
    after = list(state)
    if op.kind == "put":
        after[op.key] = op.value
    elif op.kind == "delete":
        after[op.key] = None
    else:
        after[op.to] = state[op.key]
        if op.kind == "rename":
            after[op.key] = None
    return tuple(after)


def step(state, op):
    """States that op may lead to, given its answer (any of its outcomes when there was none)."""
    unknown = op.end is None
    if op.kind == "get":
        return [state] if unknown or op.answer == state[op.key] else []
    if op.kind == "list":
        return [state] if unknown or op.answer == tuple(v is not None for v in state) else []
    refused = refusals(state, op)
    if unknown:
        return [state] if refused else [done(state, op)]
    if op.answer == "ok":
        return [] if refused else [done(state, op)]
    return [state] if op.answer in refused or op.answer == "conflict" else []


def linearizable(history, keys):
    """True if some order explains every answer. An operation without an answer may take effect at any later time, or never."""
    ops = sorted(history, key=lambda op: op.begin)
    ends = [op.end if op.end is not None else float("inf") for op in ops]
    answered = sum(1 << i for i, op in enumerate(ops) if op.end is not None)
    seen = set()
    stack = [(0, (None,) * keys)]
    while stack:
        placed, state = stack.pop()
        if placed & answered == answered:
            return True
        if (placed, state) in seen:
            continue
        seen.add((placed, state))
        # An operation may come next if it began before the first end among those not yet placed.
        first_end, may = float("inf"), []
        for i in range((~placed & (placed + 1)).bit_length() - 1, len(ops)):
            if ops[i].begin > first_end:
                break
            if not placed >> i & 1:
                may.append(i)
                first_end = min(first_end, ends[i])
        stack += [(placed | 1 << i, after) for i in reversed(may) if ops[i].begin <= first_end for after in step(state, ops[i])]
    return False
