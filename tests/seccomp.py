"""System calls that fail, in a child: the kernel is told to refuse them."""

import ctypes
import errno
import platform
import struct

import pytest

NUMBERS = {
    "x86_64": {"fsync": 74, "fdatasync": 75},
    "aarch64": {"fsync": 82, "fdatasync": 83},
}
"""Of the system calls, by machine."""

needs_seccomp = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in NUMBERS,
    reason="system calls are refused by seccomp of Linux, on machines whose numbers are known here",
)

_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse_syncs(error: int = errno.EIO) -> None:
    """Have every later sync of this process fail, in all its threads to come, for good."""
    numbers = NUMBERS[platform.machine()].values()
    steps = [(_LOAD_NUMBER, 0, 0, 0)]
    for number in numbers:
        steps += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SECCOMP, _FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "cannot refuse system calls")
