"""What respool raises where a built-in exception would say too little.

Each is a subclass of the built-in exception that a caller would expect, so code that catches
``MemoryError`` or ``OSError`` need not know of this module.
"""

from respool._native import (
    CorruptLogError,
    DiskCapacityError,
    MemoryCapacityError,
)

__all__ = [
    "CorruptLogError",
    "DiskCapacityError",
    "MemoryCapacityError",
]
