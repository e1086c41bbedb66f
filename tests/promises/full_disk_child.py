"""A child whose file system, or whose limit for a file, is too small at first.

Fills a cache until the first error, looks at what is stored, has more room made by its parent (or makes it
by itself) and reads everything. Talks by lines: ``full`` when it met the error, ``whole`` at the end.
"""

import resource
import sys
from collections.abc import Callable

import pyarrow as pa

import respool
from sources import SCHEMA, Source, batch, rows_of

BATCHES = 400  # of 2,000 rows, 9 MB or so together
ROWS = 2000


def until_full(cache: respool.StreamCache) -> int:
    """Read until the error; how many batches came before it."""
    count = 0
    try:
        for one in cache:
            assert one.equals(batch(count, ROWS))
            count += 1
    except OSError:
        assert not cache.complete
        return count
    raise AssertionError("there was room enough")


def main() -> None:
    directory, policy, limit = sys.argv[1:]
    make_room: Callable[[], object] = sys.stdin.readline
    if limit:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
        make_room = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))  # noqa: E731
    source = Source(BATCHES, rows=ROWS)
    cache = respool.StreamCache(
        source,
        200_000,
        directory,
        "1 GiB",
        policy,
        schema=SCHEMA,
        allow_tmpfs=True,
    )
    first = until_full(cache)
    assert first > 0
    pulls = source.pulls
    for _ in range(3):
        assert until_full(cache) == first  # the same batches and the same end, and no further pull
    assert source.pulls == pulls
    stored = pa.table(cache.prefix())["n"].to_pylist()
    assert stored == list(range(len(stored)))
    print("full", flush=True)
    make_room()
    for _ in range(2):
        assert pa.table(cache)["n"].to_pylist() == rows_of(BATCHES, ROWS)
    assert source.pulls == BATCHES + 1
    assert cache.metrics()["log_bytes"] > 0
    print("whole", flush=True)


if __name__ == "__main__":
    main()
