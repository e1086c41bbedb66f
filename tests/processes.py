"""Children: what a signal, a limit or a kill does is watched from outside."""

import ctypes
import faulthandler
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


def start(code: str, *args: object, **kwargs: object) -> subprocess.Popen[str]:
    """Start Python on ``code``, which can import the helpers of this folder."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code, *map(str, args)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        **{
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
            "text": True,
            **kwargs,
        },
    )


def run(code: str, *args: object, timeout: float = 50, **kwargs: object) -> str:
    """Run Python on ``code`` to a clean exit and return what it printed."""
    child = start(code, *args, **kwargs)
    with killed_at_the_end(child):
        out, err = child.communicate(timeout=timeout)
    assert child.returncode == 0, f"exit {child.returncode}\n{out}\n{err}"
    return out


def as_anybody() -> None:
    """Let a program that root starts have no right to look into everything: for ``preexec_fn``, on Linux."""
    if sys.platform == "linux":
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def wait_for_line(child: subprocess.Popen[str], line: str) -> None:
    for read in child.stdout:
        if read.strip() == line:
            return
    raise AssertionError(f"the child ended without {line!r}: {child.stderr.read()}")


@contextmanager
def killed_at_the_end(child: subprocess.Popen[str]) -> Iterator[None]:
    with child:
        try:
            yield
        finally:
            child.kill()


@contextmanager
def no_hang(seconds: float) -> Iterator[None]:
    """Print every thread's stack and end the process: a thread that holds the GIL stops for nothing less."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def in_threads(*tasks: object, timeout: float = 20) -> list[object]:
    """Run all tasks at once from one barrier; a task that raises gives its exception."""
    barrier = threading.Barrier(len(tasks))
    results: list[object] = [None] * len(tasks)

    def work(i: int) -> None:
        barrier.wait()
        try:
            results[i] = tasks[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a thread is still waiting"
    return results
