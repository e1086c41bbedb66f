"""A cache leaves nothing, however it ends: no descriptor, no mapped file, no memory.

Children make thousands of caches of each kind, after a warm-up: complete, failed in Python and in C, half
read, closed, dropped with readers, streams and batches alive, in reference cycles (through the source, the
exception, views and readers), in DuckDB connections and Polars frames. Then what `/proc/self` shows is compared.

Not promised: that a cache in a reference cycle ends before Python's garbage collector comes by; that memory
returns to the system at once, where an engine's allocator keeps it for later.
"""

import json

import pytest

from promises import children
from promises.endings import ENDINGS

GROWTH = 5  # MiB


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left(ending, log_dir, long, figure):
    warm_up, caches = (300, 2000) if long else (150, 100)
    ended = children.run("-m", "promises.leak_child", log_dir, ending, warm_up, caches, timeout=280)
    assert ended.code == 0, ended.told()
    left = json.loads(ended.out)
    grown = left["KiB"] / 1024
    figure(
        "left",
        caches=left["caches"],
        descriptors=left["descriptors"],
        mapped_files=left["mapped files"],
        MiB_at_worst=grown,
    )
    assert left["descriptors"] <= 0
    assert left["mapped files"] <= 0
    assert grown < GROWTH
    assert list(log_dir.rglob("*")) == []
