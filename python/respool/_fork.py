"""What a forked child does first; where no process forks, nothing."""

import os
from collections.abc import Callable


def in_child(call: Callable[[], object]) -> None:
    """Call something in each child that this process forks from now on."""
    register = getattr(os, "register_at_fork", None)
    if register is not None:
        register(after_in_child=call)
