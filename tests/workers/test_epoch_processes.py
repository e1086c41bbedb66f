"""Training in several processes that are killed and go on as others; what a kill leaves behind."""

import json
import signal
import time
from pathlib import Path

import pyarrow as pa
import pytest

import processes
import respool
from folders import inside

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.timeout(300)
ROWS, BATCH = 2404, 24
"""100 steps, and 4 rows that fill none."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at only

TRAIN = """
import json, os, sys, time
from pathlib import Path
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader
from respool.torch import EpochDataset

place, log, workers, method = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
rank, world_size, pause = int(sys.argv[5]), int(sys.argv[6]), float(sys.argv[7])
if __name__ == "__main__":
    meet = f"file://{place}/meet-{world_size}"
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=world_size)
    epochs = EpochDataset(log, batch_size=24)
    epochs.set_epoch(6)
    saved = place / "state.json"
    if saved.exists():
        epochs.load_state_dict(json.loads(saved.read_text()))
    steps = DataLoader(
        epochs, batch_size=None, num_workers=workers,
        multiprocessing_context=method if workers else None,
    )
    with open(place / f"had-{world_size}-{rank}", "w") as had:
        for step, batch in enumerate(steps, epochs.steps_done + 1):
            print(json.dumps([step, batch["n"].tolist()]), file=had, flush=True)
            # As in training, nobody goes on before all have had this step.
            dist.all_reduce(batch["n"].sum())
            time.sleep(pause)
            if rank == 0 and step % 4 == 0:
                (place / "new").write_text(json.dumps(epochs.state_dict(step)))
                (place / "new").rename(saved)
            print(step, flush=True)
    print("end", len(epochs), flush=True)
    dist.destroy_process_group()
"""


@pytest.fixture
def log(log_dir):
    with respool.cache(pa.table({"n": range(ROWS)}).to_reader(50), path=log_dir / "log") as cache:
        cache.ingest_all()
    return log_dir / "log"


# What is spawned imports the main module anew, so that has to be a file.
AS_SCRIPT = """
import os, sys
environment = {**os.environ, "TMPDIR": sys.argv[1], "OMP_NUM_THREADS": "1"}
os.execve(sys.executable, [sys.executable, *sys.argv[2:]], environment)
"""


class Training:
    """Processes of one training, with a directory for temporary files that only they have."""

    def __init__(self, place, log, world_size, *, workers=0, method="fork", pause=0.0):
        self.place, self.world_size = place, world_size
        self.temporary = place / "temporary"
        self.temporary.mkdir(exist_ok=True)
        script = place / "train.py"
        script.write_text(TRAIN)
        options = place, log, workers, method
        self.children = [
            processes.start(AS_SCRIPT, self.temporary, script, *options, rank, world_size, pause)
            for rank in range(world_size)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.communicate()

    def kill_behind(self, step):
        for child in self.children:
            processes.wait_for_line(child, str(step))
        for child in self.children:
            child.send_signal(signal.SIGKILL)
        for child in self.children:
            child.wait()

    def ends(self):
        """The last line of each."""
        outs = [child.communicate(timeout=120) for child in self.children]
        assert [child.returncode for child in self.children] == [0] * self.world_size, outs
        return [out.splitlines()[-1] for out, _ in outs]

    def had(self, until):
        """What the ranks had of each step up to that one."""
        steps = {}
        for rank in range(self.world_size):
            for line in (self.place / f"had-{self.world_size}-{rank}").read_text().splitlines():
                step, ids = json.loads(line)
                if step <= until:
                    steps.setdefault(step, []).append(ids)
        assert {len(parts) for parts in steps.values()} == {self.world_size}
        return {step: [n for ids in parts for n in ids] for step, parts in steps.items()}

    def alive(self):
        """Processes that have this training's directory for temporary files."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(process.name)
            except OSError:
                continue
        return found


def left_behind(before):
    """What is new in shared memory, and used by no process: others may be busy there."""
    new = set(inside(SHARED_MEMORY)) - set(before)
    used = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            used.update(line.rpartition("/")[2] for line in maps.read_text().splitlines())
        except OSError:
            continue
    return sorted((new - used) & set(inside(SHARED_MEMORY)))


def steps_saved(place):
    return json.loads((place / "state.json").read_text())["rows_done"] // BATCH


def test_two_processes_have_equally_many_steps_and_none_waits_for_ever(tmp_path, log):
    with Training(tmp_path, log, 2) as training:
        assert training.ends() == ["end 100", "end 100"]
        had = training.had(until=100)
    ids = [n for ids in had.values() for n in ids]
    assert len(ids) == len(set(ids)) == 100 * BATCH


@pytest.mark.parametrize(("workers", "method"), [(0, "fork"), (2, "fork"), (1, "spawn")])
def test_killed_twice_and_gone_on_with_other_ranks(tmp_path, log, workers, method):
    """2 -> 4 -> 3 ranks over one epoch: what was saved of each and the rest of it are all rows, once."""
    before = inside(SHARED_MEMORY)
    had = {}
    for world_size, behind in ((2, 30), (4, 60)):
        options = {"workers": workers, "method": method, "pause": 0.01}
        with Training(tmp_path, log, world_size, **options) as training:
            training.kill_behind(behind)
            saved = steps_saved(tmp_path)
            # Who knows of a saved step knows that every rank had it.
            assert behind - 4 <= saved <= behind + 4
            had.update(training.had(until=saved))
        assert sorted(had) == list(range(1, saved + 1))
        deadline = time.monotonic() + 30
        while training.alive() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert training.alive() == []
        assert list(training.temporary.iterdir()) == []
        assert left_behind(before) == []
    with Training(tmp_path, log, 3, workers=workers, method=method) as training:
        assert training.ends() == ["end 100"] * 3
        last = training.had(until=100)
        assert min(last) == saved + 1
        had.update(last)
    ids = [n for ids in had.values() for n in ids]
    assert len(had) == 100
    assert len(ids) == len(set(ids)) == 100 * BATCH
    assert set(ids) <= set(range(ROWS))
    assert list(training.temporary.iterdir()) == []


GROUPLESS = """
import sys
from respool.torch import EpochDataset
epochs = EpochDataset(sys.argv[1], batch_size=24)
try:
    iter(epochs)
except RuntimeError as error:
    print(error)
print(len(list(EpochDataset(sys.argv[1], batch_size=24, rank=0, world_size=1))))
"""


def test_processes_of_torchrun_without_a_group_are_told(log, monkeypatch):
    assert processes.run(GROUPLESS, log).split() == ["100"]
    for name, value in (("TORCHELASTIC_RUN_ID", "1"), ("WORLD_SIZE", "2"), ("RANK", "0")):
        monkeypatch.setenv(name, value)
    said, steps = processes.run(GROUPLESS, log).splitlines()
    assert "init_process_group" in said
    assert steps == "100"


INTERRUPTED = """
import sys
from torch.utils.data import DataLoader
from respool.torch import EpochDataset
epochs = EpochDataset(sys.argv[1], batch_size=24)
workers = int(sys.argv[2])
# Python drops a KeyboardInterrupt that comes while it forks: so that is done, once, before the signal.
steps = DataLoader(epochs, batch_size=None, num_workers=workers, persistent_workers=workers > 0)
going = False
while True:
    for step in steps:
        if not going:
            print("going", flush=True)
            going = True
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_ends_it(log, workers):
    child = processes.start(INTERRUPTED, log, workers)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "going")
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert child.returncode == -signal.SIGINT, err
    assert "KeyboardInterrupt" in err


FORKED = """
import os, signal, sys, threading
import pyarrow as pa
import respool
from respool.torch import EpochDataset

is_in_source, goes_on = threading.Event(), threading.Event()

def source():
    yield pa.record_batch({"n": [0]})
    is_in_source.set()
    goes_on.wait()

cache = respool.cache(source(), schema=pa.schema({"n": pa.int64()}))
steps = iter(EpochDataset(cache, batch_size=1, follow=True, prefetch=0))
next(steps)
thread = threading.Thread(target=next, args=(steps, None))
thread.start()
is_in_source.wait()
child = os.fork()
if not child:
    signal.alarm(5)
    try:
        next(steps)
    except RuntimeError as error:
        os.write(1, str(error).encode())
    os._exit(0)
status = os.waitpid(child, 0)[1]
goes_on.set()
thread.join()
assert status == 0, status
"""


def test_a_forked_child_is_told_whose_an_iteration_is_that_a_thread_of_its_parent_waits_in():
    assert "belongs to the parent process" in processes.run(FORKED)


READS_ITSELF = """
import signal
import pyarrow as pa
import respool
from respool.torch import EpochDataset

def source():
    yield pa.record_batch({"n": [0]})
    try:
        next(steps)
    except RuntimeError as error:
        print(error)
    yield pa.record_batch({"n": [1]})

cache = respool.cache(source(), schema=pa.schema({"n": pa.int64()}))
steps = iter(EpochDataset(cache, batch_size=1, shuffle=None, follow=True, prefetch=0))
signal.alarm(10)
print([step["n"].item() for step in steps])
"""


def test_a_source_that_asks_for_a_step_of_its_own_is_told_so():
    said = processes.run(READS_ITSELF)
    assert "is reading the cache it feeds" in said
    assert "[0, 1]" in said
