"""What a name may be, and the name of its directory."""

import re

_LONGEST = 128
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DIRECTORY = re.compile(r"([a-z0-9_][a-z0-9._-]*)(?:\+([1-9a-f][0-9a-f]*))?")


def check(name: str) -> str:
    """Return a name, if it is one. It is an id and never a path.

    Raises
    ------
    ValueError
        If it is not. The message says what is allowed.
    TypeError
        If it is no text.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a cache is a str, not {type(name).__name__}")
    if len(name) > _LONGEST or _NAME.fullmatch(name) is None:
        shown = ascii(name if len(name) <= _LONGEST else name[:20] + "...")
        raise ValueError(
            f"{shown} can't name a cache: a name has 1 to {_LONGEST} of the letters A-Z and a-z, "
            "digits, '.', '_' and '-', and begins with a letter, a digit or '_'"
        )
    return name


def directory_of(name: str) -> str:
    """Return the name of a directory for it, which no other name has, on any file system.

    Some know small letters and capitals for the same. So capitals are made small and, behind a ``+``,
    which no name has, it says where they were: ``Trips`` is in ``trips+1``, ``TPCH`` in ``tpch+f``.
    """
    capitals = sum(1 << at for at, letter in enumerate(name) if letter.isupper())
    return f"{name.lower()}+{capitals:x}" if capitals else name


def name_of(directory: str) -> str | None:
    """Return the name that a directory is for; None if it is for none."""
    found = _DIRECTORY.fullmatch(directory)
    if found is None:
        return None
    small, capitals = found[1], int(found[2] or "0", 16)
    name = "".join(
        letter.upper() if capitals >> at & 1 else letter for at, letter in enumerate(small)
    )
    return name if len(name) <= _LONGEST and directory_of(name) == directory else None
