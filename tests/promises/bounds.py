"""Other bounds for a cache."""

import respool

OLD_NAMES = "memory_capacity" in respool.StreamCache.resize.__doc__


def resize(cache: respool.StreamCache, **bounds: object) -> None:
    """Call ``resize`` with ``memory`` and ``disk``, whatever the two are called there."""
    cache.resize(**{f"{name}_capacity" if OLD_NAMES else name: it for name, it in bounds.items()})
