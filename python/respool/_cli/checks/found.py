"""What is wrong with a log."""

import re
from dataclasses import dataclass
from pathlib import Path

from respool._cli.causes import tidied, why

_AT = re.compile(r"(?:the log )?is damaged at byte (\d+) of this file: (.*)", re.DOTALL)


@dataclass(frozen=True)
class Damage:
    """One place that is not what was written.

    Attributes
    ----------
    file
        The file.
    offset
        The byte of it, where that is known.
    reason
        What is wrong.
    batch
        The batch that can't be read for it, if it is one.
    """

    file: Path
    offset: int | None
    reason: str
    batch: int | None = None


def of_error(error: OSError, log: Path, batch: int | None = None) -> Damage:
    """Return what an error of a reader says is wrong."""
    said = error.strerror or str(error)
    file = Path(error.filename) if error.filename else log
    if (at := _AT.fullmatch(said)) is not None:
        return Damage(file, int(at[1]), tidied(at[2]), batch)
    return Damage(file, None, said if error.filename else why(error), batch)
