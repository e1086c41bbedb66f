"""What a caller is told who wants no fill, and for whom nothing is there."""

import errno

from respool._named import keys
from respool._named.ages import time_of
from respool._named.hit import Seen, Wanted, has_key
from respool._named.home import Found, Home


def nothing(home: Home, wanted: Wanted, seen: Seen) -> OSError:
    """Return the error of a call without ``fill`` that finds nothing by a name that it wants."""
    name, root = home.name, str(home.path.parent)
    if seen.damage is not None:
        damage = seen.damage
        return type(damage)(
            errno.EIO,
            f"the cache {name!r} is damaged ({damage.strerror}): respool.rm({name!r}, {root!r}) lets it be "
            "filled anew, and so does a call with fill=",
            damage.filename,
        )
    what = f"no cache is named {name!r}"
    if seen.newest is not None:
        what = f"the cache {name!r} {_state(seen.newest, wanted)}"
    return FileNotFoundError(
        errno.ENOENT, f"{what}, and without fill= none is made; respool.ls tells what is in", root
    )


def _state(found: Found, wanted: Wanted) -> str:
    about = found.about
    if not has_key(found, wanted):
        key = about["key"]
        return (
            "was filled without a key"
            if key is None
            else f"was filled for another key: {_shown(key)}"
        )
    if found.state != "complete":
        return f"is not whole ({found.state}; respool.resume({str(found.path)!r}, source) goes on with it)"
    lives = [life for life in (about["ttl"], wanted.ttl) if life is not None]
    return (
        f"is too old: it is of {time_of(about['created']):%F %T} UTC, and good for {min(lives):g} s"
    )


def _shown(key: bytes) -> str:
    try:
        shown = repr(keys.decode(key))
    except ValueError:
        return "one that this version can't read"
    return shown if len(shown) <= 200 else f"{shown[:200]}..."  # noqa: PLR2004
