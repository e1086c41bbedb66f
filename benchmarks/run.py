"""Run every subject, or those named, each in a process of its own, print their tables, and keep what was measured.

``docs/performance.md`` is written from what is kept; see ``page.py``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from os import cpu_count
from pathlib import Path

import page

SUBJECTS = [
    "compared",
    "choices",
    "ingest_log",
    "replay",
    "duckdb_scan",
    "duckdb_selective",
    "duckdb_tpch",
    "duckdb_kept",
    "polars_scan",
    "small_batches",
    "stall",
    "memory",
    "kept_log",
    "growth",
    "overlap",
    "cold",
]
PACKAGES = ["respool", "batchcorder", "datasets", "duckdb", "polars", "pyarrow"]


def main() -> int:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"{versions}; Python {platform.python_version()}, {cpu_count()} processors")
    subjects = sys.argv[1:] or SUBJECTS
    kept = page.load()
    failed = []
    for subject in subjects:
        printed, measured, code = run(subject)
        if code:
            failed.append(subject)
            continue
        kept[subject] = {
            "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "versions": versions,
            "machine": machine(),
            "printed": printed,
            "measured": measured,
        }
    page.write(kept)
    for subject in failed:
        print(f"{subject}: ended with an error")
    return len(failed)


def run(subject: str) -> tuple[str, list[object], int]:
    """Return what a subject printed and measured, and how it ended."""
    script = Path(__file__).with_name(f"{subject}.py")
    with tempfile.NamedTemporaryFile("r") as lines:
        child = subprocess.Popen(
            [sys.executable, script],
            env={**os.environ, "BENCH_RECORD": lines.name, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        printed = []
        for line in child.stdout:
            print(line, end="", flush=True)
            printed.append(line)
        code = child.wait()
        return "".join(printed).strip("\n"), [json.loads(line) for line in lines], code


def machine() -> str:
    """Processors and memory, in a few words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{cpu_count()} processors, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
