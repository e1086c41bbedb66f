"""A C stream producer in ctypes: exact errnos and texts, which no Python source can give."""

import ctypes
import time
from collections.abc import Callable

import pyarrow as pa

from sources import SCHEMA, batch


class _Stream(ctypes.Structure):
    pass


_POINTER = ctypes.POINTER(_Stream)
_GET = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_void_p)
_LAST_ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, _POINTER)
_RELEASE = ctypes.CFUNCTYPE(None, _POINTER)
_Stream._fields_ = [
    ("get_schema", _GET),
    ("get_next", _GET),
    ("get_last_error", _LAST_ERROR),
    ("release", _RELEASE),
    ("private_data", ctypes.c_void_p),
]

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


_ALIVE: list["CStream"] = []  # a consumer may call back at any time, so no stream is ever freed


class CStream:
    """``good`` batches, then ``errno`` with ``text``; with errno 0 a clean end.

    Parameters
    ----------
    before_next
        Called with the batch number before each batch.
    make
        Makes the batch with this number.
    """

    def __init__(
        self,
        good: int,
        errno: int = 0,
        text: bytes | None = None,
        before_next: Callable[[int], None] = lambda i: None,
        make: Callable[[int], pa.RecordBatch] = batch,
    ) -> None:
        self.pulls = 0
        self.released = 0
        self._text = ctypes.create_string_buffer(text) if text is not None else None

        def get_schema(_stream: object, out: int) -> int:
            SCHEMA._export_to_c(out)
            return 0

        def get_next(_stream: object, out: int) -> int:
            i = self.pulls
            self.pulls += 1
            before_next(i)
            if i < good:
                make(i)._export_to_c(out)
                return 0
            if errno:
                return errno
            ctypes.memset(out, 0, 80)  # an array without a release callback is the end
            return 0

        def get_last_error(_stream: object) -> int | None:
            return None if self._text is None else ctypes.addressof(self._text)

        def release(stream: "ctypes._Pointer[_Stream]") -> None:
            self.released += 1
            ctypes.memset(ctypes.addressof(stream.contents), 0, ctypes.sizeof(_Stream))

        self._callbacks = (_GET(get_schema), _GET(get_next), _LAST_ERROR(get_last_error))
        self._stream = _Stream(*self._callbacks, _RELEASE(release), None)
        _ALIVE.append(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return _new_capsule(ctypes.addressof(self._stream), b"arrow_array_stream", None)


def sleeping(seconds: float, batches: int = 1000) -> CStream:
    """A stream that sleeps before each batch, in Python but outside of any generator."""
    return CStream(batches, before_next=lambda _: time.sleep(seconds))


def read_all(stream: object) -> pa.Table:
    return pa.RecordBatchReader.from_stream(stream).read_all()
