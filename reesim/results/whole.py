"""Files written whole or not at all: at every instant a name stands for a whole file, the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pathlib
import secrets
from collections.abc import Iterator

from reesim.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_whole(file: str | pathlib.Path, data: bytes, advice: str = "") -> pathlib.Path:
    """Write bytes, all or none, and return the file's full path.

    The bytes go to a temporary file in the same folder and onto the disk before they take the file's name.

    Parameters
    ----------
    file : str or pathlib.Path
        Through symbolic links; what stands there must be a regular file or nothing.
    data : bytes
    advice : str
        What an error adds to its own advice, such as that nothing is lost yet.

    Raises
    ------
    StoreError
        If anything fails; what stood there before is unharmed, and no temporary file is left.
    """
    folder = pathlib.Path(file).parent
    try:
        # Through symbolic links: replacing the link itself would leave the file it names stale.
        target = pathlib.Path(os.path.realpath(file))
        folder = target.parent
        if target.exists() and not target.is_file():
            raise StoreError(f"{file}: is not a regular file, so it is not replaced; give another name")
        _replace(target, data)
    except OSError as error:
        raise StoreError(f"{file}: not written: {_remedy(error, folder, advice)}") from error
    except ValueError as error:
        raise StoreError(f"{file!r}: not a name that a file can have: {error}") from error
    return target


@contextlib.contextmanager
def stream_whole(file: str | pathlib.Path) -> Iterator[io.TextIOWrapper]:
    """Open a text file for writing, under another name until it is whole: for what is too long to hold in memory.

    Parameters
    ----------
    file : str or pathlib.Path
        As of `write_whole`; UTF-8, line ends as they are written. What UTF-8 does not have is escaped with a backslash.

    Raises
    ------
    StoreError
        If it cannot be written; what stood there before is unharmed, and no temporary file is left.
    """
    target = pathlib.Path(os.path.realpath(file))
    temporary = _beside(target)
    try:
        with temporary.open("x", encoding="utf-8", newline="", errors="backslashreplace") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)  # noqa: PTH105 - beside the other system calls
        _flush_folder(target.parent)
    except OSError as error:
        raise StoreError(f"{file}: not written: {_remedy(error, target.parent, '')}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _beside(target: pathlib.Path) -> pathlib.Path:
    """Name of a temporary file in the same folder."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")


def _replace(target: pathlib.Path, data: bytes) -> None:
    temporary = _beside(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)  # noqa: PTH105 - beside the other system calls
    except BaseException:  # an interrupt must not leave the temporary file either; it goes on up
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: pathlib.Path) -> None:
    """Put the new name itself onto the disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no such call; theirs is then the only promise there is.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _remedy(error: OSError, folder: pathlib.Path, advice: str) -> str:
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return f"{reason}. Make room in {folder}, or save elsewhere{advice}."
    if error.errno == errno.ENOENT:
        return f"there is no folder {folder}. Make it first, or save elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{reason}. Save to a folder you may write to; {folder} is not one."
    return f"{reason}. Save elsewhere{advice}."
