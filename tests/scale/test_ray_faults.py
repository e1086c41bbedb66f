"""Workers and drivers that are killed."""

import functools
import os
import signal
import subprocess
from pathlib import Path

import pytest
from scale_logs import eventually
from work import dies_once

import processes
import respool

pytest.importorskip("ray.data")


def test_a_killed_worker_costs_a_retry_and_no_row(ray, log, tmp_path):
    marker = tmp_path / "died"
    dataset = respool.ray.read(log, blocks=4).map_batches(
        functools.partial(dies_once, str(marker)), batch_format="pyarrow", batch_size=None
    )
    assert sorted(row["id"] for row in dataset.take_all()) == list(range(200_000))
    assert marker.exists()


DRIVER = """
import os, sys
import ray
import respool

ray.init(
    "local", num_cpus=2, include_dashboard=False, object_store_memory=200 << 20, _temp_dir=sys.argv[2],
    log_to_driver=False, logging_level="error",
)
ray.data.DataContext.get_current().enable_progress_bars = False

def slow(table, begun=sys.argv[3]):
    import pathlib, time
    pathlib.Path(begun, f"{os.getpid()}").touch()
    time.sleep(60)
    return table

print("reading", flush=True)
respool.ray.read(sys.argv[1], blocks=4).map_batches(
    slow, batch_format="pyarrow", batch_size=None
).take_all()
"""


def shared_memory():
    return {path.name for path in Path("/dev/shm").iterdir()}  # noqa: S108 - looked at


def inside(directory):
    return sorted(path.name for path in directory.iterdir())


def children_of(process):
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True
    ).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = {process}
    while more := {pid for pid, parent in parents if parent in found} - found:
        found |= more
    return found - {process}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("killed", ["workers", "driver", "all"])
def test_nothing_of_ours_is_left_after_a_kill(log, tmp_path, monkeypatch, killed):
    """Ray's own sessions are Ray's: what is looked at is shared memory, our log, and where temporary logs are."""
    begun = tmp_path / "begun"
    begun.mkdir()
    of_ray = tmp_path.parent / "r"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = shared_memory(), inside(log), []
    child = processes.start(DRIVER, log, of_ray, begun)
    everything = set()
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "reading")
        assert eventually(lambda: len(list(begun.iterdir())) >= 1, 60)
        workers = [int(path.name) for path in begun.iterdir()]
        everything = children_of(child.pid)
        assert set(workers) <= everything
        if killed != "driver":
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
        if killed == "all":
            for process in everything:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        child.kill()
        child.wait()
    # Ray's daemons end by themselves when the driver that started them is gone.
    left = [pid for pid in everything if Path(f"/proc/{pid}").exists()]
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 40)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everything))
    assert (shared_memory(), inside(log), inside(temporary)) == before
    # The log is nobody's: it can be read, and removed.
    assert respool.open(log).num_rows == 200_000
