"""Which rank this process is of how many, and which steps a worker of a DataLoader takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import distributed
from torch.utils.data import get_worker_info

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Turn", "is_one_of_many", "ranks", "turn"]


@dataclass(frozen=True)
class Turn:
    """What a worker reads: of so many steps that follow each other always one.

    Such a round of steps is a step itself, of larger epochs with the same order, and what this worker has of it is a
    rank's part of that: so a worker is one more rank, and gathers no row that it does not give.
    """

    worker: int
    workers: int

    def first(self, start: int) -> int:
        """Return its first step, where the first step of all workers is ``start``."""
        return start + self.worker

    def options(self, options: Mapping[str, Any], first: int) -> dict[str, Any]:
        """Return the options of epochs that give ``first`` and every so many steps after it.

        What fills up the last round is not for the loop; who reads it stops before.
        """
        return {
            **options,
            "batch_size": options["batch_size"] * self.workers,
            "rank": first % self.workers * options["world_size"] + options["rank"],
            "world_size": options["world_size"] * self.workers,
            "tail": "pad",
        }

    def rounds(self, first: int) -> int:
        """Return the rounds before the one with this step."""
        return first // self.workers


def turn() -> Turn | None:
    """Return whose turn it is in a worker, and None elsewhere."""
    worker = get_worker_info()
    return None if worker is None else Turn(worker.id, worker.num_workers)


def ranks(rank: int | None, world_size: int | None) -> tuple[int, int] | None:
    """Return rank and number of ranks as they were given, or else as the process group has them.

    None where nothing is known: this process may be the only one, or have no process group yet.
    """
    if rank is not None and world_size is not None:
        return rank, world_size
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return None


def is_one_of_many() -> bool:
    """Whether torchrun started this process beside others."""
    launched = distributed.is_available() and distributed.is_torchelastic_launched()
    return launched and int(os.environ.get("WORLD_SIZE", "1")) > 1
