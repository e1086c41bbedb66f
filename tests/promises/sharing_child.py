"""One writer or reader of a log that others share: see test_sharing.py."""

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

import respool
from respool.exceptions import IncompleteStreamError

SCHEMA = pa.schema({"n": pa.int64(), "s": pa.string(), "d": pa.dictionary(pa.int8(), pa.string())})
ROWS = 50


def batch(i: int) -> pa.RecordBatch:
    """Batch i of every stream here."""
    first = i * ROWS
    words = pa.array([f"word {(i // 7 + k) % 11}" for k in range(ROWS)])
    return pa.record_batch(
        [
            pa.array(range(first, first + ROWS)),
            pa.array([f"row {n}" for n in range(first, first + ROWS)]),
            words.cast(SCHEMA.field("d").type),
        ],
        schema=SCHEMA,
    )


class Source:
    """The stream, slowly behind what is there."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.quick = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for i in range(self.count):
            yield batch(i)
            time.sleep(0.001 * (i >= self.quick))


def write(path: Path, count: int) -> None:
    """Fill the log, or go on with it, and flush now and then."""
    source = Source(count)
    if (path / "_manifest").exists():
        if respool.open(path).complete:
            return  # the one before was killed after its work was done
        cache = respool.resume(path, source)
        source.quick = cache.num_batches
    else:
        cache = respool.cache(source, path=path, schema=SCHEMA)
    for i, _ in enumerate(cache):
        if i % 100 == 99:
            cache.flush()
            # What is acknowledged has to be there, whatever happens from now on.
            acknowledged = path.with_name("acknowledged")
            acknowledged.with_suffix(".new").write_text(str(i + 1))
            acknowledged.with_suffix(".new").replace(acknowledged)
    cache.close()


def read(path: Path, count: int) -> None:
    """Follow the log to its end, whoever writes it, and say how many batches were compared."""
    compared = 0
    while True:
        acknowledged = path.with_name("acknowledged")
        least = int(acknowledged.read_text()) if acknowledged.exists() else 0
        try:
            cache = respool.open(path, timeout=random.uniform(0.01, 1))  # noqa: S311
        except FileNotFoundError:
            time.sleep(0.01)
            continue
        assert cache.num_batches >= least, f"LOST {least} acknowledged, {cache.num_batches} there"
        reader = cache.reader()
        at = 0
        try:
            for given in reader:
                assert given.equals(batch(at)), f"WRONG batch {at}"
                at, compared = at + 1, compared + 1
        except (IncompleteStreamError, TimeoutError):
            continue
        assert (at, cache.complete) == (count, True), f"SHORT {at} of {count}"
        print("compared", compared, flush=True)
        return


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
