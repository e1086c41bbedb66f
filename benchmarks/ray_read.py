"""One aggregate over a log by Ray Data, with pyarrow's dataset on the same files and with Ray's own way to plan a read.

Has an environment of its own, which ``make test-scale`` makes. ``GIB`` says how large the log is (4), and ``SLOW`` how
often the contenders run that put all they read into the object store (1).
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import ray
from measure import Claim, rounds, scratch, table
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

import respool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = 1 << 18
GIB = float(os.environ.get("GIB", "4"))
SLOW = int(os.environ.get("SLOW", "1"))
STORE = 3 << 29
"""Bytes of the object store."""


def main() -> None:
    with scratch() as name:
        path = Path(name) / "log"
        fill(path)
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=STORE,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        print(f"Ray {ray.__version__}, pyarrow {pa.__version__}, respool {respool.__version__}")
        compare(path)
        ray.shutdown()


def fill(path: Path) -> None:
    """Write eight different batches again and again, numbers and text."""
    random = np.random.default_rng(0)
    words = pa.array([f"w{n:05}" for n in range(1000)])
    eight = [
        pa.record_batch(
            {
                "id": np.arange(i * ROWS, (i + 1) * ROWS),
                "x": random.random(ROWS),
                "y": random.random(ROWS),
                "k": random.integers(0, 1000, ROWS, dtype=np.int32),
                "s": words.take(pa.array(random.integers(0, 1000, ROWS))),
            }
        )
        for i in range(8)
    ]
    count = -(-int(GIB * (1 << 30)) // eight[0].nbytes)
    source = itertools.islice(itertools.cycle(eight), count)
    with respool.cache(source, path=path, schema="first", memory=0) as cache:
        cache.ingest_all()


def compare(path: Path) -> None:
    files = pads.dataset(path, format="ipc")
    rows = respool.open(path).num_rows

    def by_pyarrow(columns: list[str] | None) -> float:
        return sum(pc.sum(b["x"]).as_py() for b in files.to_batches(columns=columns) if b.num_rows)

    def by_respool(**options: object) -> float:
        return total(respool.ray.read(path, **options), rows)

    def default(columns: list[str] | None) -> float:
        return total(ray.data.read_datasource(Files(path, columns)), rows)

    expected = by_pyarrow(["x"])

    def checked(query: Callable[[], float]) -> Callable[[], float]:
        def timed() -> float:
            began = time.perf_counter()
            found = query()
            seconds = time.perf_counter() - began
            assert abs(found - expected) < 1e-6 * expected
            return seconds

        return timed

    def seldom(columns: list[str] | None) -> Callable[[], float]:
        """Many seconds each: once to warm up, and then not in every round."""
        seen: list[float] = []

        def timed() -> float:
            if len(seen) <= SLOW:
                seen.append(checked(lambda: default(columns))())
            return min(seen[1:] or seen)

        return timed

    seconds = rounds(
        {
            "respool, x": checked(lambda: by_respool(columns=["x"])),
            "respool, all": checked(by_respool),
            "pyarrow.dataset, x": checked(lambda: by_pyarrow(["x"])),
            "pyarrow.dataset, all": checked(lambda: by_pyarrow(None)),
            "read_datasource, x": seldom(["x"]),
            "read_datasource, all": seldom(None),
        }
    )
    size = sum(file.stat().st_size for file in path.glob("*.arrow")) / (1 << 30)
    table(
        f"sum(x) over a log of {size:.1f} GiB, fused with the read, 2 workers",
        seconds,
        [
            Claim("respool, x", "pyarrow.dataset, x", 1.25),
            Claim("respool, all", "pyarrow.dataset, all"),
            Claim("respool, x", "read_datasource, x"),
            Claim("respool, all", "read_datasource, all", 0.1),
        ],
    )


def total(dataset: ray.data.Dataset, rows: int) -> float:
    seen = dataset.map_batches(
        summed, batch_format="pyarrow", batch_size=None, zero_copy_batch=True
    ).take_all()
    assert sum(block["rows"] for block in seen) == rows
    return sum(block["x"] for block in seen)


def summed(block: pa.Table) -> pa.Table:
    return pa.table({"x": [pc.sum(block["x"]).as_py()], "rows": [block.num_rows]})


class Files(Datasource):
    """The segments of the log, mapped by pyarrow; how many blocks there are is left to Ray."""

    def __init__(self, path: Path, columns: list[str] | None) -> None:
        super().__init__()
        self.columns = columns
        self.parts = []
        for file in sorted(path.glob("*.arrow")):
            with pa.memory_map(str(file)) as mapped:
                count = pa.ipc.open_file(mapped).num_record_batches
            self.parts += [(str(file), i) for i in range(count)]
        self.size = sum(file.stat().st_size for file in path.glob("*.arrow"))

    def estimate_inmemory_data_size(self) -> int:
        return self.size

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,  # noqa: ARG002 - part of the interface
        data_context: object = None,  # noqa: ARG002
    ) -> list[ReadTask]:
        count = min(parallelism, len(self.parts))
        tasks = []
        for i in range(count):
            first, end = (n * len(self.parts) // count for n in (i, i + 1))
            cuts = self.parts[first:end]
            columns = self.columns
            about = BlockMetadata(
                num_rows=None,
                size_bytes=self.size // count,
                input_files=None,
                exec_stats=None,
            )
            tasks.append(ReadTask(lambda cuts=cuts, columns=columns: tables(cuts, columns), about))
        return tasks


def tables(parts: list[tuple[str, int]], columns: list[str] | None) -> Iterator[pa.Table]:
    for file, i in parts:
        batch = pa.ipc.open_file(pa.memory_map(file)).get_batch(i)
        shown = pa.Table.from_batches([batch])
        yield shown if columns is None else shown.select(columns)


if __name__ == "__main__":
    main()
