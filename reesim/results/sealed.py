"""Sealed files: bytes behind a digest, written whole or not at all, and verified before anyone parses them.

A sealed file is a block of 512 bytes (magic, version, length, BLAKE2b digest, zeros) followed by the bytes. HDF5 looks
for its own beginning at byte 512 too, so every HDF5 reader opens a sealed image as it is.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import struct
from typing import BinaryIO

from reesim.errors import StoreError
from reesim.results.whole import write_whole

BLOCK = 512
MAGIC = b"reesim path\r\n\x1a\n\x00"
VERSION = 1
_HEADER = struct.Struct("<16sIQ32s")
_ADVICE = "Ask for the file again, or run the scenario again."


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

    Raises
    ------
    StoreError
        If anything fails; what stood there before is unharmed, and no temporary file is left.
    """
    return write_whole(file, seal(payload), "; the result is still in memory")


def _reason(error: BaseException) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
