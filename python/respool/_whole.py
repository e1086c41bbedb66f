"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from respool._named import layout
from respool._pipes import Pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer


@contextmanager
def whole(path: str, *, is_new: bool = False) -> Iterator[pa.NativeFile]:
    """Open a file to write that takes its name when everything in it is on the disk, or never.

    What has the name meanwhile stays as it is, and stays for good if the block raises anything. What is no
    file but takes bytes is written to.

    Parameters
    ----------
    path
        Its name.
    is_new
        Whether a file that has the name by then stays too.

    Raises
    ------
    FileExistsError
        If there is one that is to stay.
    """
    if _takes_bytes(path):
        # Without a way through its real path: that of a descriptor in /proc is none.
        with _Output(path, "wb", path) as raw, Pipe(raw).writing() as pipe:
            yield pa.PythonFile(pipe, mode="w")  # type: ignore[arg-type]
        return
    # As writing to a link would: what it leads to is replaced, and not the link.
    target = Path(os.path.realpath(path))
    _refuse_log(target)
    part = target.with_name(f".respool-{secrets.token_hex(8)}.part")
    # Opened first: where it can't be read, nothing is replaced.
    with _names(target.parent, path) as sync_names:
        try:
            with _unflushed_on_errors(_created(part, target)) as file:
                yield pa.PythonFile(file, mode="w")
                file.flush()
                with _explained(path):
                    os.fsync(file.fileno())
            with _explained(path):
                (_take_new if is_new else Path.replace)(part, target)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        sync_names()


@contextmanager
def _unflushed_on_errors(file: BufferedWriter) -> Iterator[BufferedWriter]:
    """Close the file at the end; after an error what is in its buffer goes, or its own error would hide that one."""
    with file:
        try:
            yield file
        except BaseException:
            file.raw.close()
            raise


def _take_new(part: Path, target: Path) -> None:
    """Give a file its name, unless another has it."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links. One that is empty keeps the name free of others for a moment.
        is_ours = True
        try:
            try:
                target.touch(exist_ok=False)
            except FileExistsError:
                is_ours = False
                raise
            part.replace(target)
        except BaseException:
            # Ctrl-C may come as soon as it is made, and when the whole one has its place.
            with suppress(OSError):
                if is_ours and target.stat().st_size == 0:
                    target.unlink()
            raise
    else:
        part.unlink()


def _takes_bytes(path: str) -> bool:
    """Tell whether there is a FIFO or a character device; False if there is a file, or nothing.

    Raises
    ------
    OSError
        If there is anything else, which must be neither replaced nor written to.
    """
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return True
    if stat.S_ISREG(mode):
        return False
    kind = "a socket" if stat.S_ISSOCK(mode) else "a block device"
    raise OSError(
        errno.EINVAL,
        f"only files, FIFOs and character devices are written to, and this is {kind}",
        path,
    )


def _refuse_log(path: Path) -> None:
    if layout.is_log(path.parent):
        raise ValueError(
            f"{path} is in the directory of a kept log, where it would replace a file of the log or be taken "
            "for one: write it elsewhere"
        )


class _Output(FileIO):
    """A file whose errors say what could not be done, and to which file, and are none of a source."""

    def __init__(
        self, file: str, mode: str, path: str, opener: Callable[[str, int], int] | None = None
    ) -> None:
        with _explained(path):
            super().__init__(file, mode, opener=opener)
        self._path = path

    def write(self, content: Buffer, /) -> int:
        with _explained(self._path):
            return super().write(content)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", path) from None


def _created(part: Path, path: Path) -> BufferedWriter:
    # With the rights that a new file gets here, or that the file had which it replaces: not the private ones of a
    # temporary file.
    rights, are_ours = _rights(path)

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, rights)

    file = _Output(str(part), "xb", str(path), opener)
    if are_ours:
        with _explained(str(path)):
            os.fchmod(file.fileno(), rights & _of_group(file.fileno(), path))
    return BufferedWriter(file)


def _of_group(file: int, path: Path) -> int:
    """Give a file the group of the one it replaces; return which rights may stay, which are none of another group."""
    group = path.stat().st_gid
    if os.fstat(file).st_gid != group:
        try:
            os.fchown(file, -1, group)
        except OSError:
            return 0o707
    return 0o777


def _rights(path: Path) -> tuple[int, bool]:
    """Return the rights of a file, or those to ask for, and whether they are ours to keep as they are.

    Of somebody else's file no more are asked for than it had, and no more than the umask leaves.
    """
    try:
        there = path.stat()
    except FileNotFoundError:
        return 0o666, False
    are_ours = hasattr(os, "geteuid") and there.st_uid == os.geteuid()
    return there.st_mode & (0o777 if are_ours else 0o666), are_ours


@contextmanager
def _names(directory: Path, path: str) -> Iterator[Callable[[], None]]:
    """Give what makes durable which file has which name in a directory."""
    if not hasattr(os, "O_DIRECTORY"):  # nor can a directory be opened there
        yield lambda: None
        return
    with _explained(path):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)

    def sync() -> None:
        with _explained(path):
            os.fsync(handle)

    try:
        yield sync
    finally:
        os.close(handle)
