"""A write that fails loses no batch and doubles none, whatever is called next.

In children the n-th write of the log fails with EIO or ENOSPC, is short, or is interrupted, once or for
good, for every n; then anything is called, and then everything is read with the fault gone: rows come once
and in order, whole or up to an error that names the fault, and the source is never pulled twice. The same on
file systems that are really full and are enlarged, and under a limit for the size of files.

Not promised: that disk blocks which fail when they are read come back; a map of them ends the process.
"""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import processes
from promises import children
from promises.faulty_child import CACHES, MODES

HERE = Path(__file__).parent
FULL_DISK = "from promises.full_disk_child import main; main()"
POLICIES = ["on_insertion", "on_eviction"]
SOME_CASES = [
    ("EIO", "once"),
    ("ENOSPC", "lasting"),
    ("short", "lasting"),
    ("interrupted", "once"),
]
MIB = 1 << 20


@pytest.fixture(scope="session")
def failing_writes(tmp_path_factory):
    """The library that lets writes fail."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make writes fail with")
    library = tmp_path_factory.mktemp("faults") / "failing_writes.so"
    options = ["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o", library]
    subprocess.run([compiler, *options, HERE / "failing_writes.c"], check=True)
    return library


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", CACHES)
def test_every_write_may_fail(kind, failing_writes, log_dir, long, figure):
    cases = SOME_CASES
    if long:
        cases = [(mode, lasting) for mode in MODES for lasting in ("once", "lasting")]

    def run(case: tuple[str, str]) -> children.Ended:
        arguments = [failing_writes, log_dir, kind, *case, "all" if long else "in turn"]
        return children.run("-m", "promises.faulty_child", *arguments, timeout=500)

    faults = []
    for case, ended in zip(cases, children.in_parallel(run, cases), strict=True):
        assert ended.code == 0, f"{case}: {ended.told()}"
        answer = json.loads(ended.out)
        if "skip" in answer:
            pytest.skip(f"writes can't be watched here: {answer['skip']}")
        assert answer["writes"] > 5
        # Of a fault that is gone before the reader tries again, only a thread that reads ahead knows.
        if kind != "read ahead" or case[1] == "lasting":
            assert (answer["told"] > 0) == (case[0] in {"EIO", "ENOSPC"})
        faults += [f"{case}: {fault}" for fault in answer["faults"]]
        figure("writes that fail", runs=answer["runs"], wrong=len(answer["faults"]))
    if faults:
        pytest.fail(f"{len(faults)} faults\n" + "\n".join(faults[:20]), False)
    assert list(log_dir.rglob("*")) == []


@contextlib.contextmanager
def mounted(what: str, options: list[str], where: Path) -> Iterator[None]:
    """Mount a file system; skip the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    where.mkdir()
    asked = ["mount", *options, what, where]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", where], check=True)


@contextlib.contextmanager
def small_tmpfs(folder: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    where = folder / "small"
    larger = ["mount", "-o", "remount,size=64m", where]
    with mounted("tmpfs", ["-t", "tmpfs", "-o", "size=4m"], where):
        yield where, lambda: subprocess.run(larger, check=True)


@contextlib.contextmanager
def small_ext4(folder: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("no mkfs.ext4")
    image, where = folder / "image", folder / "small"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    with mounted(str(image), ["-o", "loop"], where):
        filler = where / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while shutil.disk_usage(where).free > 4 * MIB:
                file.write(bytes(MIB // 4))
        yield where, filler.unlink


def fill(where: Path, policy: str, make_room: Callable[[], object], limit: str = "") -> None:
    child = processes.start(FULL_DISK, where, policy, limit, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "full")
        make_room()
        out, err = child.communicate("\n", timeout=50)
    assert (child.returncode, out.strip()) == (0, "whole"), err


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("small", [small_tmpfs, small_ext4])
def test_a_full_disk_that_is_enlarged(small, policy, log_dir, figure):
    with small(log_dir) as (where, make_room):
        fill(where, policy, make_room)
    figure("full disks", enlarged=1)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_limit_for_files_that_is_raised(policy, log_dir, figure):
    fill(log_dir, policy, lambda: None, str(4 * MIB))
    figure("full disks", limits_raised=1)
