"""Answers of language models on disk, so that nothing is asked, or paid for, twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from reesim.errors import StoreError

_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, model TEXT NOT NULL, prompt TEXT NOT NULL, answer TEXT NOT NULL, "
    "input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL)"
)


def key_of(model: str, prompt: str, text: str) -> str:
    """Key of an answer: a digest of the model's name, the prompt's version and the text."""
    parts = json.dumps([model, prompt, text], ensure_ascii=True).encode()
    return hashlib.sha256(parts).hexdigest()


class AnswerCache:
    """Answers by model, version of the prompt, and text. Texts themselves are not kept, only their digests.

    Parameters
    ----------
    file : path
        A SQLite file, made if it is not there; each answer is on disk before the next question is asked. Several
        processes may share it.

    Raises
    ------
    StoreError
        If the file cannot be made, or is something else.
    """

    def __init__(self, file: Path | str) -> None:
        self.file = Path(file)
        with self._told():
            self._base = sqlite3.connect(self.file, timeout=30.0, isolation_level=None)
            try:
                self._base.execute(_TABLE)
            except BaseException:
                self._base.close()
                raise

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        with self._told():
            return int(self._base.execute("SELECT count(*) FROM answers").fetchone()[0])

    def get(self, model: str, prompt: str, text: str) -> dict[str, Any] | None:
        """Return the answer, or None if it was never given."""
        with self._told():
            row = self._base.execute(
                "SELECT answer FROM answers WHERE key = ?", (key_of(model, prompt, text),)
            ).fetchone()
        if row is None:
            return None
        try:
            answer = json.loads(row[0])
        except ValueError as error:
            raise StoreError(
                f"{self.file}: an answer in it is damaged: {error}. Delete the file, or name another"
            ) from error
        return answer if isinstance(answer, dict) else None

    def put(self, model: str, prompt: str, text: str, answer: dict[str, Any], tokens: tuple[int, int]) -> None:
        """Keep an answer, and the numbers of tokens it took in and out."""
        row = (key_of(model, prompt, text), model, prompt, json.dumps(answer, sort_keys=True), *tokens)
        with self._told():
            self._base.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.file}: the cache of answers cannot be used: {error}. Name another file, in a folder that you may write to"
            ) from error
