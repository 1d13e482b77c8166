"""Documents made from the tables in src/tbl. `gen_docs.py` writes them, `gen_docs.py --check` fails if one is stale.

docs/NAME.in.md is the text; a line {{operations}}, {{errors}} or {{params}} in it is replaced by the table.
"""
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def rows(table, macro):
    """The arguments of each MACRO(...) row of a table, strings unquoted."""
    with open(os.path.join(TOP, "src", "tbl", table)) as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    for found in re.finditer(rf"^{macro}\((.*?)\)\s*$", text, re.M | re.S):
        words = re.findall(r'((?:"(?:\\.|[^"\\])*"\s*)+|[^,"]+)(?:,|$)', found.group(1).strip())
        yield [unquote(w.strip()) for w in words]


def unquote(word):
    if not word.startswith('"'):
        return word
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', word)).replace('\\"', '"')


def operations():
    yield "| call | request | needs permission | answer |"
    yield "| --- | --- | --- | --- |"
    for name, method, scope, match, permissions, source, _, handler in rows("operations.h", "OPERATION"):
        where = {"SERVICE": "/", "BUCKET": "/bucket", "OBJECT": "/bucket/key", "CONTROL": "/v20180820/tags/ARN"}[scope]
        query = [m for m in match.split("&") if m and not m.startswith("@")]
        header = "".join(f", header `{m[1:]}`" for m in match.split("&") if m.startswith("@"))
        needs = ", ".join(f"`{p}`" for p in permissions.split("|") if p) + (f"; on the source `{source}`" if source else "")
        done = "**501 `NotImplemented`**" if handler == "s3_not_implemented" else "works"
        yield f"| {name} | `{method} {where}{'?' + '&'.join(query) if query else ''}`{header} | {needs} | {done} |"


def errors():
    yield "| code | status | message |"
    yield "| --- | --- | --- |"
    for code, status, message in rows("errors.h", "S3_ERROR"):
        yield f"| `{code}` | {status} | {message} |"


def params():
    yield "| parameter | default | range | what it is |"
    yield "| --- | --- | --- | --- |"
    for name, kind, unit, least, default, most, doc in rows("params.h", "PARAM"):
        span = f"{least} to {most}" if kind == "NUMBER" else ""
        yield f"| `{name}` | `{default}`{' ' + unit if unit else ''} | {span} | {doc} |"


def operators():
    kinds = {}
    for name, kind, _, _ in rows("condition_ops.h", "CONDITION_OP"):
        kinds.setdefault(kind, []).append(f"`{name}`")
    yield "| values | operators |"
    yield "| --- | --- |"
    said = {"STRING": "text; in `Like` and `Arn...`, `*` and `?` are wildcards", "NUMBER": "number", "DATE": "ISO 8601, or seconds since 1970",
            "BOOL": "true or false", "IP": "address or range, IPv4 or IPv6; `::/0` is every IPv6 address", "NOTHING": "true: the key is absent; false: it is there"}
    for kind, names in kinds.items():
        yield f"| {said[kind]} | {', '.join(names)} |"


def conditions():
    yield "| key | what it is |"
    yield "| --- | --- |"
    for _, name, meaning in rows("condition_keys.h", "CONDITION_KEY"):
        yield f"| `{name}{'TAG' if name.endswith('/') else ''}` | {meaning} |"


def control():
    yield "| call | request | needs |"
    yield "| --- | --- | --- |"
    for name, method, path, who, permission, _ in rows("control.h", "CONTROL"):
        needs = {"ANYONE": "no token", "OPERATOR": "an operator's token"}.get(who, f"`{permission}`" if permission else "a token")
        yield f"| {name} | `{method} {path}` | {needs} |"


TABLES = {"operators": operators, "conditions": conditions, "control": control, "operations": operations, "errors": errors, "params": params}


def main():
    stale = []
    for source in sorted(glob.glob(os.path.join(TOP, "docs", "*.in.md"))):
        with open(source) as file:
            text = re.sub(r"^\{\{(\w+)\}\}$", lambda m: "\n".join(TABLES[m.group(1)]()), file.read(), flags=re.M)
        target = source.replace(".in.md", ".md")
        text = f"<!-- made by tools/gen_docs.py from {os.path.basename(source)} and src/tbl -->\n" + text
        old = open(target).read() if os.path.exists(target) else None
        if old != text:
            stale.append(os.path.relpath(target, TOP))
            if "--check" not in sys.argv:
                with open(target, "w") as file:
                    file.write(text)
    if "--check" in sys.argv and stale:
        print("stale, run tools/gen_docs.py: " + ", ".join(stale))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
