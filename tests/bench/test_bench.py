"""The benchmark in its short form: every row is there, nothing fails. No figure counts."""
import json
import re

import bench
import report

ROWS = {
    "reads": ["GET 4 KiB", "GET 64 KiB", "GET 8 MiB", "SSE-C"],
    "writes": ["PUT 4 KiB", "PUT 8 MiB", "UploadPart", "CRC64NVME"],
    "calls": ["CopyObject", "CompleteMultipartUpload", "RenameObject"],
    "keys": ["LIST pages", "LIST one prefix", "start", "memory", "idle connections"],
    "background": ["lifecycle judges", "lifecycle expires", "scrub, rows", "scrub, blobs", "half load, jobs on"],
}


def test_every_row(build, tmp_path):
    table = bench.main(["--short", "--build", build, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"),
                        "--only", ",".join(ROWS)])
    ours = [r for r in table.rows if r["contender"] == "caisson"]
    for suite, rows in ROWS.items():
        for row in rows:
            found = [r for r in ours if row in r["workload"]]
            assert found, f"{suite}: no row {row}"
            assert all(r["median"] > 0 or row == "idle connections" for r in found), found	# few may fit what is there
    assert not [r for r in table.rows if "ERRORS" in r["note"]], "requests failed"
    with open(tmp_path / "out" / "bench.json") as file:
        assert len(json.load(file)["rows"]) == len(table.rows)
    document = tmp_path / "performance.md"
    document.write_text("\n".join(["before", *report.MARKS, "after", ""]))
    table.into(document)
    lines = document.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and len(lines) == len(table.rows) + 8
    with open(tmp_path / "out" / "bench.svg") as file:
        assert len(re.findall("<rect", file.read())) == 1 + sum(r["ratio"] is not None for r in table.rows)
