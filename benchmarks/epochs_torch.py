"""Shuffled steps of 1,024 rows of 16 float32 columns as tensors: ours, Hugging Face's, MosaicML's, a bare gather.

Each way is a process of its own, of the environment that has its packages (`make bench-epochs` makes them). They take
turns of a second, in another order each round, while the others wait.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

from measure import Claim, rounds, scratch, table

HERE = Path(__file__).parent
WORKERS, STREAMING = ".venv-workers", ".venv-streaming"
PLACES = {
    "respool_epochs": WORKERS,
    "respool_loader": WORKERS,
    "numpy_columns": WORKERS,
    "numpy_matrix": WORKERS,
    "hugging_face": WORKERS,
    "hugging_face_stream": WORKERS,
    "streaming": STREAMING,
    "streaming_vector": STREAMING,
}
NAMES = {
    "respool_epochs": "EpochDataset",
    "respool_loader": "DataLoader of it",
    "numpy_columns": "NumPy, 16 arrays in memory",
    "numpy_matrix": "NumPy, one matrix in memory",
    "hugging_face": "HF datasets, permuted",
    "hugging_face_stream": "HF datasets, shuffle buffer",
    "streaming": "MosaicML, 16 columns",
    "streaming_vector": "MosaicML, a column of 16",
}


def main() -> None:
    with scratch() as directory, ExitStack() as stack:
        turns = {}
        for way, place in PLACES.items():
            python = HERE.parent / place / "bin" / "python"
            child = stack.enter_context(
                subprocess.Popen(
                    [python, HERE / "epochs_peer.py", way, directory],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            )
            stack.callback(child.kill)
            while (line := child.stdout.readline()) != "ready\n":
                assert line, f"{way} ended"
            turns[NAMES[way]] = lambda child=child: turn(child)
        seconds = rounds(turns)
    ours = NAMES["respool_epochs"]
    wanted = {"numpy_columns": 1.5, "hugging_face": 1 / 3, "hugging_face_stream": 1 / 3}
    wanted |= {"streaming": 1 / 2, "streaming_vector": 1 / 2}
    claims = [Claim(ours, NAMES[way], most) for way, most in wanted.items()]
    claims += [
        Claim(NAMES["respool_loader"], NAMES["numpy_columns"]),
        Claim(ours, NAMES["numpy_matrix"]),
    ]
    table(
        "To torch tensors: a step of 1,024 shuffled rows, 16 columns of float32",
        seconds,
        claims,
        "us",
    )


def turn(child: subprocess.Popen[str]) -> float:
    print(file=child.stdin, flush=True)
    return float(child.stdout.readline())


if __name__ == "__main__":
    main()
