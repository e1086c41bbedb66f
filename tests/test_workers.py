"""Workers of every kind read what was pickled for them, and what a fork gave them: right, twice."""

import concurrent.futures
import multiprocessing
import os
import threading
import time

import pytest

from sources import Source
from working import VIEWS, persistent, rows, twice, twice_of

METHODS = ["spawn", "forkserver", "fork"]
TASKS = 4


@pytest.fixture
def cache(log_dir):
    with persistent(Source(5), log_dir) as cache:
        cache.ingest_all()
        yield cache


def views_of(cache):
    return [view(cache) for view in VIEWS.values()]


def check(answers, views):
    """Each worker read what is read here, twice, and none of them was this process."""
    answers = list(answers)
    assert len(answers) == len(views) > 0
    assert os.getpid() not in {process for process, _ in answers}
    assert [shown for _, shown in answers] == [[rows(view)] * 2 for view in views]


@pytest.mark.parametrize("method", METHODS)
def test_a_pool(cache, method):
    views = views_of(cache)
    with multiprocessing.get_context(method).Pool(2) as pool:
        check(pool.map(twice, views, chunksize=1), views)
        check(pool.map(twice, views, chunksize=3), views)


@pytest.mark.parametrize("method", METHODS)
def test_an_executor(cache, method):
    views = views_of(cache)
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        check(executor.map(twice, views), views)
        check(executor.map(twice, views), views)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblib(cache, backend):
    joblib = pytest.importorskip("joblib")
    views = views_of(cache)
    with joblib.Parallel(n_jobs=2, backend=backend) as parallel:
        check(parallel(joblib.delayed(twice)(view) for view in views), views)
        check(parallel(joblib.delayed(twice)(view) for view in views), views)


@pytest.mark.parametrize("method", METHODS)
def test_a_process_that_was_given_a_view(cache, method):
    """By fork as the object that it is, by the others pickled."""
    context = multiprocessing.get_context(method)
    for view in VIEWS.values():
        shown = view(cache)
        answers = context.SimpleQueue()
        process = context.Process(target=twice_of, args=(shown, answers))
        process.start()
        check([answers.get()], [shown])
        process.join()
        assert process.exitcode == 0


def test_threads_share_what_is_here(cache):
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        views = views_of(cache)
        for _, shown in executor.map(twice, views):
            assert shown[0] == shown[1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stored", [0, 2])
def test_a_worker_follows_who_fills_the_cache(log_dir, method, stored):
    """Also where nothing of it is stored when the worker begins."""
    with (
        persistent(Source(8, pause=0.05), log_dir) as cache,
        multiprocessing.get_context(method).Pool(2) as pool,
    ):
        if stored:
            cache.batch(stored - 1)
        # A prefix ends where it was taken.
        views = views_of(cache)
        answers = pool.map_async(twice, views, chunksize=1)
        filling = threading.Thread(target=cache.ingest_all)
        time.sleep(0.3)
        assert cache.ingested_count == stored
        filling.start()
        check(answers.get(40), views)
        filling.join()


def test_workers_read_what_failed_up_to_there(log_dir):
    with persistent(Source(8, fail_at=5), log_dir) as cache:
        with pytest.raises(Exception, match="no batch 5"):
            cache.ingest_all()
        shown = cache.prefix()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            check([pool.apply(twice, (shown,))], [shown])
            with pytest.raises(Exception, match="5"):
                pool.apply(twice, (cache,))


def test_a_child_may_unpickle_while_its_parent_opens(cache):
    """A lock that a thread of the parent holds at the fork is never given back."""
    from respool import _pickle

    held, done = threading.Event(), threading.Event()

    def hold():
        with _pickle._opened.turn:
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    shown = cache.slice(3)
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as before:
        check([before.apply(twice, (shown,))], [shown])
    pickled = shown.__reduce__()[1]
    holder.start()
    held.wait()
    try:
        answers = context.SimpleQueue()
        child = context.Process(target=reopened, args=(pickled, answers))
        child.start()
        child.join(20)
        alive = child.is_alive()
        child.kill()
        assert not alive
        check([answers.get()], [shown])
    finally:
        done.set()
        holder.join()


def reopened(pickled, answers):
    from respool._pickle import reopen

    answers.put(twice(reopen(*pickled)))
