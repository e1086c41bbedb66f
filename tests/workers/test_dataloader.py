"""PyTorch's DataLoader with two workers: each row once in each epoch, whatever starts the workers."""

import os

import pyarrow as pa
import pytest

from sources import Source, rows_of
from working import persistent

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, IterableDataset, get_worker_info  # noqa: E402

METHODS = ["spawn", "forkserver", "fork"]


class Epochs(IterableDataset):
    """The numbers of a view in batches; each worker gives every second batch."""

    def __init__(self, view):
        self.view = view

    def __iter__(self):
        worker = get_worker_info()
        for number, batch in enumerate(self.view):
            if number % worker.num_workers == worker.id:
                yield (
                    os.getpid(),
                    torch.from_numpy(batch["n"].to_numpy(zero_copy_only=False).copy()),
                )


@pytest.fixture
def cache(log_dir):
    with persistent(Source(6), log_dir) as cache:
        cache.ingest_all()
        yield cache


@pytest.mark.parametrize("persistent_workers", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_each_epoch_has_each_row_once(cache, method, persistent_workers):
    loader = DataLoader(
        Epochs(cache.select("n")),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=method,
        persistent_workers=persistent_workers,
    )
    for _ in range(2):
        given = list(loader)
        assert sorted(torch.cat([numbers for _, numbers in given]).tolist()) == rows_of(6)
        workers = {process for process, _ in given}
        assert len(workers) == 2
        assert os.getpid() not in workers


class Rows:
    """A dataset by number, which the loader shuffles."""

    def __init__(self, view):
        self.view = view

    def __len__(self):
        return self.view.num_rows

    def __getitem__(self, number):
        return pa.table(self.view.slice(number, 1))["n"][0].as_py()


@pytest.mark.parametrize("method", METHODS)
def test_a_dataset_by_number(cache, method):
    rows = Rows(cache.filter([("n", ">=", 500)]))
    loader = DataLoader(
        rows, batch_size=16, shuffle=True, num_workers=2, multiprocessing_context=method
    )
    for _ in range(2):
        assert sorted(torch.cat(list(loader)).tolist()) == rows_of(6)[500:]
