"""Sealed files: bytes behind a digest, written whole or not at all, and verified before anyone parses them.

A sealed file is a block of 512 bytes (magic, version, length, BLAKE2b digest, zeros) followed by the bytes. HDF5 looks
for its own beginning at byte 512 too, so every HDF5 reader opens a sealed image as it is.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import secrets
import stat
import struct
from typing import BinaryIO

from reesim.errors import StoreError

BLOCK = 512
MAGIC = b"reesim path\r\n\x1a\n\x00"
VERSION = 1
_HEADER = struct.Struct("<16sIQ32s")
_ADVICE = "Ask for the file again, or run the scenario again."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def seal(payload: bytes) -> bytes:
    """Put the block in front of some bytes."""
    digest = _digest(VERSION, payload)
    return _HEADER.pack(MAGIC, VERSION, len(payload), digest).ljust(BLOCK, b"\0") + payload


def _digest(version: int, payload: bytes) -> bytes:
    state = hashlib.blake2b(struct.pack("<IQ", version, len(payload)), digest_size=32)
    state.update(payload)
    return state.digest()


def read(file: str | pathlib.Path) -> bytes:
    """Return the bytes behind the block of a file, after their digest has been verified.

    Raises
    ------
    StoreError
        If the file is missing, not a regular file, foreign, truncated, damaged or from a newer version.
    """
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116 - before opening: opening a pipe would wait
            raise StoreError(f"{file}: not a regular file, so not a result of reesim")
        with open(file, "rb") as stream:  # noqa: PTH123 - one descriptor from here on: size and bytes agree
            return _verified(file, stream)
    except FileNotFoundError as error:
        raise StoreError(f"{file}: no such file; check the name and the folder") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{file}: cannot be read: {_reason(error)}") from error


def _verified(file: str | pathlib.Path, stream: BinaryIO) -> bytes:
    block = stream.read(BLOCK)
    if len(block) < BLOCK or not block.startswith(MAGIC):
        raise StoreError(f"{file}: not a result file of reesim (its first bytes are others). {_ADVICE}")
    _, version, length, digest = _HEADER.unpack_from(block)
    if version > VERSION and not any(block[_HEADER.size :]):
        raise StoreError(f"{file}: written by a newer reesim (container {version}); install the newest version")
    found = os.fstat(stream.fileno()).st_size - BLOCK
    if found != length:  # before reading, so that a wrong length never asks for memory
        raise StoreError(f"{file}: truncated or damaged: {found} bytes where {length} were written. {_ADVICE}")
    payload = stream.read()
    if version != VERSION or any(block[_HEADER.size :]) or _digest(version, payload) != digest:
        raise StoreError(f"{file}: damaged: its contents do not agree with the digest written with them. {_ADVICE}")
    return payload


def write(file: str | pathlib.Path, payload: bytes) -> pathlib.Path:
    """Write sealed bytes, whole or not at all, and return the file's full path.

    The bytes go to a temporary file in the same folder and onto the disk before they take the file's name, so at every
    instant the name stands for a whole file: the old one or the new one.

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
        _replace(target, seal(payload))
    except OSError as error:
        raise StoreError(f"{file}: not written: {_remedy(error, folder)}") from error
    except ValueError as error:
        raise StoreError(f"{file!r}: not a name that a file can have: {error}") from error
    return target


def _replace(target: pathlib.Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
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


def _reason(error: BaseException) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _remedy(error: OSError, folder: pathlib.Path) -> str:
    if error.errno in _FULL:
        return f"{_reason(error)}. Make room in {folder}, or save elsewhere; the result is still in memory."
    if error.errno == errno.ENOENT:
        return f"there is no folder {folder}. Make it first, or save elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{_reason(error)}. Save to a folder you may write to; {folder} is not one."
    return f"{_reason(error)}. Save elsewhere; the result is still in memory."
