"""PUTs: against the index by itself, and against what MD5 (the ETag) and the disk allow."""
import concurrent.futures
import os
import re
import shutil
import statistics
import subprocess
import time

from contender import BUCKET, MIB, TOP, disk_speed, md5_speed, note_of, turns, upload, wrk


RAW = {"rocksdb": ("RocksDB alone", "its own API: puts of 4.5 KB with sync from 32 threads"),
       "kv": ("our kv.h", "for comparison: the same as commits of our index layer, which groups them itself")}


def raw_index(arguments, folder, mode, i):
    where = os.path.join(folder, f"raw-{i}")
    done = subprocess.run([os.path.join(TOP, arguments.build, "bench", "raw_kv"), mode, where, "32", "4500", str(arguments.seconds)],
                          capture_output=True, text=True, check=True)
    shutil.rmtree(where)
    return float(re.search(r"([\d.]+) commits/s", done.stdout).group(1))


def small(table, arguments, stores, folder):
    serial, raw = iter(range(100000)), {mode: [] for mode in RAW}

    def run(contender):
        tag = next(serial)
        if contender is stores[0]:
            for mode in RAW:
                raw[mode].append(raw_index(arguments, folder, mode, tag))	# in turns with ours
        links = contender.paths("PUT", [f"p{tag}/{i}" for i in range(arguments.seconds * 30000)])
        return wrk(contender, links, arguments.seconds, 32, "PUT", 4096)
    results, cpu = turns(stores, arguments.rounds, run)
    reference = statistics.median(raw["rocksdb"])
    for mode, (who, note) in RAW.items():
        table.add("PUT 4 KiB c32", who, "req/s", raw[mode], reference=reference, note=note)
    for c in stores:
        done, ours = results[c.name], c.name == "caisson"
        spent = f"{cpu[c.name] / sum(r['requests'] for r in done) * 1000:.3f} s/kreq" if c.pids else ""
        median = statistics.median(r["rate"] for r in done)
        note = note_of(done) + f"; {median / statistics.median(raw['kv']):.2f} of our kv.h"
        table.add("PUT 4 KiB c32", c.name, "req/s", [r["rate"] for r in done], reference=reference, cpu=spent,
                  least=5000 if ours else None, ratio_least=0.5 if ours else None, peak=c.peak_mib(), note=note)


def large(table, arguments, stores, folder, mib):
    source = os.path.join(folder, "large")
    with open(source, "wb") as out:
        out.write(os.urandom(mib * MIB))
    walls, speeds, cpu = [], {c.name: [] for c in stores}, {c.name: 0.0 for c in stores}
    for i in range(arguments.rounds * (1 if arguments.short else 3)):
        walls.append(min(md5_speed(1, 1), disk_speed(folder, 4 * mib)))
        for c in stores:
            path = c.path("PUT", f"large{i}")
            before = c.cpu_seconds()
            speeds[c.name].append(mib / upload(c, path, source))
            cpu[c.name] += c.cpu_seconds() - before
    table.add(f"PUT {mib} MiB c1", "wall", "MiB/s", walls, note="the slower of MD5 and the disk (O_DIRECT)")
    for c in stores:
        spent = f"{cpu[c.name] / (len(speeds[c.name]) * mib / 1024):.3f} s/GiB" if c.pids else ""
        table.add(f"PUT {mib} MiB c1", c.name, "MiB/s", speeds[c.name], reference=statistics.median(walls), cpu=spent,
                  ratio_least=0.85 if c.name == "caisson" else None, peak=c.peak_mib())


def start_upload(client, key):
    answer = client.call("POST", BUCKET, key, query={"uploads": ""})
    assert answer.status == 200, answer
    return re.search(rb"<UploadId>([^<]+)", answer.body).group(1).decode()


def multipart(table, arguments, stores, folder, mib):
    """Eight parts at once, on as many cores as there are; the client takes its share of them."""
    cores, source = min(os.cpu_count(), 8), os.path.join(folder, "large")
    walls, speeds, cpu = [], {c.name: [] for c in stores}, {c.name: 0.0 for c in stores}
    for i in range(arguments.rounds):
        walls.append(min(md5_speed(cores, arguments.seconds), disk_speed(folder, mib, writers=8)))
        for c in stores:
            client = c.client()
            query = {"uploadId": start_upload(client, f"parts{i}")}
            paths = [c.path("PUT", f"parts{i}", query={**query, "partNumber": str(n + 1)}) for n in range(8)]
            before, began = c.cpu_seconds(), time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda path: upload(c, path, source), paths))
            speeds[c.name].append(8 * mib / (time.monotonic() - began))
            cpu[c.name] += c.cpu_seconds() - before
            client.call("DELETE", BUCKET, f"parts{i}", query=query)
            client.close()
    table.add(f"UploadPart 8 x {mib} MiB", "wall", "MiB/s", walls, note=f"the slower of MD5 on {cores} cores and the disk (O_DIRECT, 8 writers)")
    for c in stores:
        each = cpu[c.name] / (len(speeds[c.name]) * 8 * mib / 1024)
        share = 1024 / each / md5_speed(1, 1, clock=()) if c.pids and each else 0
        table.add(f"UploadPart 8 x {mib} MiB", c.name, "MiB/s", speeds[c.name], reference=statistics.median(walls),
                  ratio_least=0.9 if c.name == "caisson" else None, cpu=f"{each:.3f} s/GiB" if c.pids else "", peak=c.peak_mib(),
                  note=f"its CPU time allows {share:.2f} of what MD5 alone would" if share else "")


def digests(table, arguments):
    """What the CRC that nobody asked for costs beside MD5, which every PUT needs."""
    done = subprocess.run([os.path.join(TOP, arguments.build, "bench", "raw_digest")], capture_output=True, text=True, check=True)
    ns = {name: float(speed) for name, speed in re.findall(r"(\w+) ([\d.]+) ns/KiB", done.stdout)}
    table.add("CRC64NVME beside MD5", "caisson", "% CPU", [100 * ns["crc64nvme"] / ns["md5"]], most=5,
              note="of what MD5 alone costs a PUT, on 256 KiB that are in cache; " + done.stdout.strip().replace("\n", ", "))


def run(table, arguments, stores, folder):
    mib = 8 if arguments.short else 64
    small(table, arguments, stores, folder)
    large(table, arguments, stores, folder, mib)
    multipart(table, arguments, stores, folder, mib)
    digests(table, arguments)
