"""What works on every system; on this one also as where there are neither Unix's locks nor forks."""

import subprocess
import sys

import pytest

import respool

BARE = """
import os
import sys

sys.modules["fcntl"] = None
for name in ("register_at_fork", "fork", "O_DIRECTORY", "O_NOFOLLOW", "geteuid", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
import tempfile

import pyarrow as pa

import respool

table = pa.table({"n": list(range(1000)), "s": [str(i) for i in range(1000)]})
with tempfile.TemporaryDirectory(dir=os.getcwd()) as directory:
    source = table.to_reader(max_chunksize=10)
    with respool.cache(source, memory=0, disk="1 MiB", directory=directory) as cache:
        assert pa.table(cache) == table
        assert pa.table(cache) == table
        cache.to_parquet(os.path.join(directory, "table.parquet"))
for call in (lambda: respool.named("n", lambda: table), respool.ls, lambda: respool.rm("n"), respool.prune):
    try:
        call()
    except NotImplementedError as error:
        assert "Linux or macOS" in str(error), error
    else:
        raise AssertionError("not refused")
print("ok")
"""


def test_a_system_without_locks_and_forks(log_dir):
    done = subprocess.run(
        [sys.executable, "-c", BARE], capture_output=True, text=True, cwd=log_dir, check=False
    )
    assert (done.stdout, done.stderr) == ("ok\n", "")


@pytest.mark.skipif(sys.platform != "win32", reason="logs are kept here")
def test_a_log_with_a_path_says_where_it_can_be_had(tmp_path):
    with pytest.raises(OSError, match="need Linux or macOS"):
        respool.cache(iter(()), path=tmp_path / "log")
