"""Dask's workers, as processes of this computer."""

import os

import pytest

from sources import Source
from working import VIEWS, persistent, rows, twice

dask = pytest.importorskip("dask")


@pytest.fixture
def views(log_dir):
    with persistent(Source(5), log_dir) as cache:
        cache.ingest_all()
        yield [view(cache) for view in VIEWS.values()]


def check(answers, views):
    assert len(answers) == len(views) > 0
    assert os.getpid() not in {process for process, _ in answers}
    assert [shown for _, shown in answers] == [[rows(view)] * 2 for view in views]


def test_processes(views):
    for _ in range(2):
        tasks = [dask.delayed(twice)(view) for view in views]
        check(dask.compute(*tasks, scheduler="processes", num_workers=2), views)


def test_a_cluster(views):
    distributed = pytest.importorskip("distributed")
    options = {
        "n_workers": 2,
        "threads_per_worker": 2,
        "processes": True,
        "dashboard_address": None,
    }
    with distributed.LocalCluster(**options) as cluster, cluster.get_client() as client:
        for _ in range(2):
            futures = [client.submit(twice, view, pure=False) for view in views]
            check(client.gather(futures), views)
