"""Ctrl-C ends every read, of sources in C too, and the cache never looks complete for it.

Children read endless sources, in C (DuckDB) and in Python, with every consumer and from the thread that
waits for another's pull; others encode and prove a cache of 2e9 strings. SIGINT has to end the call, with
KeyboardInterrupt, or with the engine's error and then that where it is read again; the worst time is
recorded. Afterwards the cache goes on or has failed.

Not promised: the end of a wait for a source that gives no batch and does not look at signals itself, be it
in C or in Python code on another thread; that DuckDB stops pulling on its own threads what runs no Python there, a
source in C or one that is read ahead, which it does not without us either; that Polars, whose threads ask for the
plan, stops the proof of a filter.
"""

import json
import signal
import subprocess
import time

import pytest

import processes
from promises import children
from promises.interrupt_child import CALLS, CONTROL, SOURCES, WORK

BOUND = 2.0  # of the test; what is measured is in docs/promises.md
GIVEN_UP = 5.0
RUNS_NO_PYTHON = {"C", "generator, read ahead"}
"""Sources that the threads of an engine pull without running any Python."""
MAIN = "from promises.interrupt_child import main; main()"


def interrupt(source: str, what: str, delay: float, log_dir: object) -> dict[str, object]:
    """Press Ctrl-C in a child once it is reading; how long until the call ended, how, and what then."""
    child = processes.start(MAIN, log_dir, source, what)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        time.sleep(delay)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        try:
            out, err = child.communicate(timeout=GIVEN_UP)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGABRT)  # faulthandler prints all stacks
            out, err = child.communicate()
            return {"took": GIVEN_UP, "how": f"no end\n{err[-1500:]}", "state": ""}
    if child.returncode != 0:
        return {"took": 0.0, "how": f"exit {child.returncode}\n{err[-1500:]}", "state": ""}
    answer = json.loads(out.splitlines()[-1])
    return {"took": answer["ended"] - sent, "how": answer["how"], "state": answer["state"]}


def faults_of(answer: dict[str, object]) -> list[str]:
    if answer["took"] < 0:
        return [f"ended before Ctrl-C: {answer}"]
    if answer["took"] > BOUND or answer["state"] not in {"usable", "failed"}:
        return [str(answer["how"])]
    if answer["how"].startswith(("ended as", "no Keyboard")):
        return [answer["how"]]
    return []


def is_out_of_reach(source: str, what: str, log_dir: object) -> bool:
    """Whether DuckDB pulls on threads of its own and goes on without us too.

    It sees Ctrl-C between two of its tasks, takes it, and waits for the others, which it does not tell of it.
    """
    if source not in RUNS_NO_PYTHON or not what.startswith("duckdb"):
        return False
    control = interrupt(CONTROL, "duckdb", 0.4, log_dir)
    return control["took"] > BOUND


def check(cases: list[tuple[str, str]], delays: list[float], log_dir: object, figure: object):
    runs = [(*case, delay) for case in cases for delay in delays]
    answers = children.in_parallel(lambda run: interrupt(*run, log_dir), runs)
    out_of_reach = {case for case in cases if is_out_of_reach(*case, log_dir)}
    told = [
        (run, answer)
        for run, answer in zip(runs, answers, strict=True)
        if run[:2] not in out_of_reach
    ]
    faults = [f"{run}: {fault}" for run, answer in told for fault in faults_of(answer)]
    worst = max((answer["took"] for _, answer in told), default=0.0)
    figure(
        "Ctrl-C",
        runs=len(told),
        failures=len(faults),
        seconds_at_worst=worst,
        no_end_without_us_either=len(runs) - len(told),
    )
    if faults:
        pytest.fail(f"{len(faults)} of {len(runs)}\n" + "\n".join(faults), False)


def delays(long: bool) -> list[float]:
    return [0.3, 0.7, 1.1] if long else [0.4]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", CALLS)
def test_reading(what, log_dir, long, figure):
    python = list(SOURCES)[1:]
    chosen = list(SOURCES) if long else ["C", python[list(CALLS).index(what) % len(python)]]
    check([(source, what) for source in chosen], delays(long), log_dir, figure)


@pytest.mark.timeout(300)
def test_work_on_a_large_cache(log_dir, long, figure):
    check([("", what) for what in WORK], delays(long), log_dir, figure)
