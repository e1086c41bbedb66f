"""What a log is, as its own files say, without reading its data."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import respool
from respool import _native
from respool._cli.causes import why
from respool._named import whole
from respool._named.ages import time_of
from respool.exceptions import CorruptLogError

if TYPE_CHECKING:
    from pathlib import Path

    from respool import StreamCache

_CODECS = {0: None, 1: "lz4", 2: "zstd"}
_OF_LOCK = 512
"""Bytes, more than a writer says of itself."""


@dataclass(frozen=True)
class Log:
    """What there is at a path.

    Attributes
    ----------
    path
        The directory.
    state
        The first four are those of the log. Damaged: it can't be read for what is in its files. Unreadable:
        of a newer version, or not ours to read.
    about
        What the log says of itself, as ``_native._peek``; empty where that can't be read.
    error
        Why it can't be read.
    writer
        Who writes it, or did: process, host and since, as far as it has said so.
    """

    path: Path
    state: Literal["growing", "abandoned", "complete", "failed", "damaged", "unreadable"]
    about: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    writer: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows that are stored."""
        return int(self.about.get("rows", 0))

    @property
    def batches(self) -> int:
        """Batches that are stored."""
        return int(self.about.get("batches", 0))

    def life(self) -> dict[str, Any]:
        """Return how many seconds it counts for, and until when; None if it has no end."""
        span = self.about.get("ttl")
        end = None if span is None else time_of(self.about["created"] + span)
        return {"ttl_seconds": span, "expires": end}


def look(path: Path) -> Log:
    """Return what there is at a path that has, or had, a log."""
    try:
        about = _native._peek(path)  # noqa: SLF001
        missing = whole.missing(path) if about["state"] == "complete" else None
    except CorruptLogError as error:
        return Log(path, "damaged", {}, why(error), writer(path))
    except FileNotFoundError as error:
        # There is a manifest, and not what belongs to it.
        return Log(path, "damaged", {}, why(error), writer(path))
    except (OSError, ValueError) as error:
        return Log(path, "unreadable", error=why(error))
    if missing is not None:
        return Log(path, "damaged", about, f"{missing}: {whole.MISSING}", writer(path))
    return Log(path, about["state"], about, writer=writer(path))


def open(path: Path, timeout: float | None = None) -> StreamCache:  # noqa: A001
    """Open a log to read it once: what is decoded of it is not kept."""
    return respool.open(path, timeout=timeout, memory=0)


def writer(path: Path) -> dict[str, str]:
    """Return what the file to lock says of the process that writes a log, or wrote it."""
    text = ""
    with suppress(OSError):
        lock = os.open(path / "_lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            text = os.read(lock, _OF_LOCK).decode(errors="replace")
        finally:
            os.close(lock)
    said = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {key: said[key] for key in ("process", "host", "since") if key in said}


def compression(path: Path) -> str | None:
    """Return how the batches of a log are compressed, if they are and it says so."""
    with suppress(OSError), (path / "_manifest").open("rb") as manifest:
        header = manifest.read(13)
        return _CODECS.get(header[12]) if len(header) > 12 else None  # noqa: PLR2004
    return None


def segments(path: Path) -> list[Path]:
    """Return the files that hold the batches, in their order."""
    found = [*path.glob("[0-9]*.arrow"), *path.glob("[0-9]*.arrows"), *path.glob("_[0-9]*.part")]
    return sorted(found, key=lambda file: file.name.lstrip("_"))
