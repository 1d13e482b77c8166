"""The table of a run: printed, as JSON, as a plot."""
import datetime
import json
import os
import platform
import statistics
import sys


MARKS = "<!-- begin of the table: tools/bench --docs -->", "<!-- end of the table -->"


class Table:
    def __init__(self):
        self.rows = []

    def add(self, workload, who, unit, values, *, reference=None, least=None, most=None, ratio_least=None, ratio_most=None, cpu="",
            peak=None, note=""):
        """values: one a round. least, most: what the median is to reach, or not to pass; ratio_*: the same of median / reference."""
        median = statistics.median(values)
        ratio = median / reference if reference else None
        wanted = [(least, median, 1), (most, median, -1), (ratio_least, ratio, 1), (ratio_most, ratio, -1)]
        wanted = [(want, got, sign) for want, got, sign in wanted if want is not None and got is not None]
        self.rows.append({
            "workload": workload, "contender": who, "unit": unit, "median": median, "runs": values, "ratio": ratio, "cpu": cpu,
            "peak_mib": peak, "note": note, "least": least, "most": most, "ratio_least": ratio_least, "ratio_most": ratio_most,
            "met": all((got - want) * sign >= 0 for want, got, sign in wanted) if wanted else None})
        print(self.line(self.rows[-1]), file=sys.stderr, flush=True)	# progress

    @staticmethod
    def target(row):
        bounds = (("least", ">= {:g}"), ("most", "<= {:g}"), ("ratio_least", ">= {:g}x"), ("ratio_most", "<= {:g}x"))
        return ", ".join(form.format(row[name]) for name, form in bounds if row[name] is not None)

    HEAD = (f"{'workload':34} {'who':14} {'median':>11} {'unit':8} {'ratio':>6} {'target':>16} {'met':3} {'CPU':>15} {'peak MiB':>8}  "
            "lowest..highest")

    def line(self, r):
        number = lambda value, form: format(value, form) if value is not None else ""
        met = {True: "yes", False: "NO", None: ""}[r["met"]]
        return (f"{r['workload']:34} {r['contender']:14} {r['median']:11.1f} {r['unit']:8} {number(r['ratio'], '.2f'):>6} "
                f"{self.target(r):>16} {met:3} {r['cpu']:>15} {number(r['peak_mib'], '.0f'):>8}  "
                f"{min(r['runs']):.4g}..{max(r['runs']):.4g} {r['note']}").rstrip()

    def show(self):
        print("\n" + self.HEAD)
        for row in self.rows:
            print(self.line(row))

    def machine(self):
        with open("/proc/cpuinfo") as info:
            model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
        return {"time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "cpus": os.cpu_count(), "cpu": model,
                "kernel": ".".join(platform.release().split(".")[:2]), "load_before": self.load}

    def markdown(self):
        """For docs/performance.md."""
        m = self.machine()
        out = [f"{m['time'][:10]}, {m['cpus']} CPUs ({m['cpu']}), Linux {m['kernel']}, load average {m['load_before']:.1f} before the run.", "",
               "| workload | who | median | lowest to highest | ratio | target | met | CPU | peak MiB | |",
               "| --- | --- | ---: | --- | ---: | --- | --- | --- | ---: | --- |"]
        for r in self.rows:
            number = lambda value, form: format(value, form) if value is not None else ""
            out.append(f"| {r['workload']} | {r['contender']} | {r['median']:,.4g} {r['unit']} | {min(r['runs']):,.4g} to "
                       f"{max(r['runs']):,.4g} | {number(r['ratio'], '.2f')} | {self.target(r)} | "
                       f"{ {True: 'yes', False: '**no**', None: ''}[r['met']] } | {r['cpu']} | {number(r['peak_mib'], '.0f')} | {r['note']} |")
        return "\n".join(out) + "\n"

    def into(self, path):
        """Replace what stands between the two marks in a document."""
        with open(path) as file:
            before, _, rest = file.read().partition(MARKS[0] + "\n")
        _, mark, after = rest.partition(MARKS[1])
        assert mark, f"no marks in {path}"
        with open(path, "w") as file:
            file.write(before + MARKS[0] + "\n" + self.markdown() + MARKS[1] + after)

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "bench.json"), "w") as file:
            json.dump({"machine": self.machine(), "rows": self.rows}, file, indent=1)
        with open(os.path.join(folder, "bench.svg"), "w") as file:
            file.write(self.svg())

    load = None

    def svg(self):
        """A bar for each row with a ratio; the line is the target."""
        bars = [r for r in self.rows if r["ratio"] is not None]
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="960" height="{22 * len(bars) + 40}" font-family="sans-serif" font-size="12">',
               '<rect width="100%" height="100%" fill="#fff"/>',
               '<text x="10" y="18">ratio to the reference of the same run (red line: target)</text>']
        for i, r in enumerate(bars):
            y, width = 30 + 22 * i, min(r["ratio"], 2.5) * 200
            color = "#c0504d" if r["met"] is False else "#4a7ebb"
            out.append(f'<text x="10" y="{y + 13}">{r["workload"]} {r["contender"]}</text>'
                       f'<rect x="370" y="{y}" width="{width:.0f}" height="16" fill="{color}"/>'
                       f'<text x="{375 + width:.0f}" y="{y + 13}">{r["ratio"]:.2f}</text>')
            want = r["ratio_least"] or r["ratio_most"]
            if want:
                x = 370 + want * 200
                out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{y - 2}" y2="{y + 18}" stroke="#c00"/>')
        return "\n".join(out + ["</svg>", ""])
