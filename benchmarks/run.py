"""Run every subject, or those named, each in a process of its own, and print their tables."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from os import cpu_count
from pathlib import Path

SUBJECTS = [
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
]
PACKAGES = ["respool", "batchcorder", "duckdb", "polars", "pyarrow"]


def main() -> int:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"{versions}; Python {platform.python_version()}, {cpu_count()} processors")
    failed = []
    for subject in sys.argv[1:] or SUBJECTS:
        script = Path(__file__).with_name(f"{subject}.py")
        if subprocess.run([sys.executable, script], check=False).returncode:
            failed.append(subject)
    for subject in failed:
        print(f"{subject}: ended with an error")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
