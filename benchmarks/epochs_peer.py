"""One way to get shuffled batches as tensors, in a process of its own, which gives a turn for each line it reads.

    python epochs_peer.py WAY DIRECTORY

It prints what it prepared, and for each line the seconds that a step takes on average. ``epochs.py`` starts one for
each way and has them take turns: they need packages that can't be installed together.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = int(os.environ.get("EPOCH_ROWS", "2_000_000"))
COLUMNS = [f"x{i}" for i in range(16)]
BATCH = 1024
SECONDS = 1.0
"""A turn ends with the first step that is over after so long."""


def columns() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(7)
    return {name: chance.random(ROWS, dtype=np.float32) for name in COLUMNS}


def respool_epochs(directory: Path) -> Iterator[object]:
    """Our dataset by itself."""
    dataset = ours(directory)
    while True:
        yield from dataset
        dataset.set_epoch(dataset.epoch + 1)


def respool_loader(directory: Path) -> Iterator[object]:
    from torch.utils.data import DataLoader

    dataset = ours(directory)
    loader = DataLoader(dataset, batch_size=None)
    while True:
        yield from loader
        dataset.set_epoch(dataset.epoch + 1)


def ours(directory: Path) -> object:
    import pyarrow as pa

    import respool
    from respool.torch import EpochDataset

    path = directory / "log"
    if not path.exists():
        reader = pa.table(columns()).to_reader(65_536)
        with respool.cache(reader, path=path) as cache:
            cache.ingest_all()
    return EpochDataset(path, batch_size=BATCH)


def numpy_columns(_: Path) -> Iterator[object]:
    """What can't be less: sixteen arrays in memory, a permutation of all rows, a gather from each."""
    import torch

    arrays = columns()
    chance = np.random.default_rng(1)
    while True:
        order = chance.permutation(ROWS)
        for first in range(0, ROWS - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            yield {name: torch.from_numpy(array[rows]) for name, array in arrays.items()}


def numpy_matrix(_: Path) -> Iterator[object]:
    """The same where the data happens to be one matrix: one gather, of 64 bytes that lie together."""
    import torch

    matrix = np.stack(list(columns().values()), axis=1)
    chance = np.random.default_rng(1)
    while True:
        order = chance.permutation(ROWS)
        for first in range(0, ROWS - BATCH + 1, BATCH):
            yield torch.from_numpy(matrix[order[first : first + BATCH]])


def hugging_face(directory: Path) -> Iterator[object]:
    """A memory-mapped dataset, shuffled by a permutation of all rows."""
    dataset = hf_dataset(directory)
    for seed in range(1 << 30):
        yield from dataset.shuffle(seed=seed, keep_in_memory=True).iter(BATCH)


def hugging_face_stream(directory: Path) -> Iterator[object]:
    """The same data as a stream of 16 shards with a shuffle buffer, as its documentation advises for speed."""
    stream = hf_dataset(directory).to_iterable_dataset(num_shards=16)
    for seed in range(1 << 30):
        yield from stream.shuffle(seed=seed, buffer_size=10_000).iter(BATCH)


def hf_dataset(directory: Path) -> object:
    import datasets

    datasets.disable_progress_bars()
    place = str(directory / "hf")
    if not Path(place).exists():
        import pyarrow as pa

        datasets.Dataset(pa.table(columns())).save_to_disk(place)
    return datasets.load_from_disk(place).with_format("torch")


def streaming(directory: Path) -> Iterator[object]:
    """MosaicML's, a sample with 16 columns."""
    yield from mosaic(directory / "mds", dict.fromkeys(COLUMNS, "float32"), per_column)


def streaming_vector(directory: Path) -> Iterator[object]:
    """The same, a sample with one column of 16 numbers."""
    yield from mosaic(directory / "mds-vector", {"x": "ndarray:float32:16"}, per_vector)


def per_column() -> Iterator[dict[str, object]]:
    for row in zip(*columns().values(), strict=True):
        yield dict(zip(COLUMNS, row, strict=True))


def per_vector() -> Iterator[dict[str, object]]:
    for row in np.stack(list(columns().values()), axis=1):
        yield {"x": row}


def mosaic(
    place: Path, of: dict[str, str], samples: Callable[[], Iterator[dict[str, object]]]
) -> Iterator[object]:
    from streaming import MDSWriter, StreamingDataset
    from torch.utils.data import DataLoader

    if not place.exists():
        with MDSWriter(out=str(place), columns=of) as writer:
            for sample in samples():
                writer.write(sample)
    dataset = StreamingDataset(local=str(place), shuffle=True, batch_size=BATCH)
    while True:
        yield from DataLoader(dataset, batch_size=BATCH)


WAYS = {
    way.__name__: way
    for way in (
        respool_epochs,
        respool_loader,
        numpy_columns,
        numpy_matrix,
        hugging_face,
        hugging_face_stream,
        streaming,
        streaming_vector,
    )
}


def main() -> None:
    warnings.simplefilter("ignore")
    way, directory = sys.argv[1:]
    steps = WAYS[way](Path(directory))
    first = next(steps)
    rows = {len(column) for column in first.values()} if isinstance(first, dict) else {len(first)}
    assert rows == {BATCH}, rows
    print("ready", flush=True)
    gc.disable()
    for _ in sys.stdin:
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < SECONDS:
            next(steps)
            count += 1
        print(took / count, flush=True)


if __name__ == "__main__":
    main()
