"""A language model behind an address that speaks the common chat format, by nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from reesim.empirics.patents.classify import ClassifierStopped
from reesim.errors import DataError

LARGEST = 1_000_000
"""Bytes of a reply that are read; no answer to these questions is longer."""

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""Codes of replies that may be another a little later."""

Opener = Callable[[urllib.request.Request, float], tuple[int, Mapping[str, str], bytes]]


class TryAgain(Exception):
    """The service did not answer this time: to be caught and waited for, and told to the user only if it stays so.

    Parameters
    ----------
    reason : str
    wait : float
        Seconds that the service asks for; 0 if it says nothing.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, and the tokens that the service counted; None where it does not say."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None


def _open(request: urllib.request.Request, timeout: float) -> tuple[int, Mapping[str, str], bytes]:
    try:
        with _DIRECT.open(request, timeout=timeout) as answer:
            return int(answer.status), dict(answer.headers), answer.read(LARGEST)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read(LARGEST)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to an address that nobody named."""

    def redirect_request(self, *given: Any, **more: Any) -> None:
        return None


_DIRECT = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint:
    """Asks a service: what a `LanguageModel` needs as `complete`.

    Parameters
    ----------
    url : str
        Full address of the chat completions, with https; http for this machine only.
    model : str
        The service's name of the model.
    key_variable : str
        Environment variable that holds the key; read when a question is asked, never kept, shown or written. Empty: none.
    timeout : float
        Seconds to wait for a reply.
    output_tokens : int
        Longest answer asked for.
    extra : mapping
        Further fields of the request, such as ``{"temperature": 0}``; they win over those made here.
    opener : callable, optional
        Sends a request; for tests and unusual networks.

    Raises
    ------
    DataError
        If the address is not one, or a key would go over an open line.
    """

    url: str
    model: str
    key_variable: str = ""
    timeout: float = 60.0
    output_tokens: int = 300
    extra: Mapping[str, Any] = field(default_factory=dict)
    opener: Opener = _open

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise DataError(f"{self.url!r}: give a full address with https://; http:// is for this machine only")

    def __call__(self, prompt: str, schema: Mapping[str, Any]) -> Reply:
        """Ask one question.

        Raises
        ------
        TryAgain
            If the service is busy or the line broke.
        ClassifierStopped
            If the service refuses.
        DataError
            If the environment variable of the key is not set.
        """
        request = urllib.request.Request(
            self.url, json.dumps(self._body(prompt, schema)).encode(), self._headers(), method="POST"
        )
        try:
            status, headers, body = self.opener(request, self.timeout)
        except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSError
            raise TryAgain(f"{urlsplit(self.url).hostname}: {error}") from error
        if status in _PASSING:
            raise TryAgain(f"{urlsplit(self.url).hostname}: status {status}", _seconds(headers))
        if not 200 <= status < 300:
            words = body[:200].decode("utf-8", "replace")
            raise ClassifierStopped(
                f"{self.url}: the service refuses, status {status}: {words}. Mend address, model or key"
            )
        return _reply(body)

    def _body(self, prompt: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)}}
        asked = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self.output_tokens,
        }
        return {**asked, "temperature": 0, "response_format": form, **self.extra}

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.key_variable:
            key = os.environ.get(self.key_variable, "").strip()
            if not key:
                raise DataError(
                    f"the environment variable {self.key_variable} is not set; put the service's key into it"
                )
            headers["Authorization"] = f"Bearer {key}"
        return headers


def _seconds(headers: Mapping[str, str]) -> float:
    text = next((value for name, value in headers.items() if name.casefold() == "retry-after"), "")
    return float(text) if text.isdecimal() else 0.0


def _reply(body: bytes) -> Reply:
    try:
        content = json.loads(body)
        text = content["choices"][0]["message"]["content"]
        usage = content.get("usage") or {}
        counted = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise TryAgain(f"a reply that is not in the chat format: {type(error).__name__}: {error}") from error
    numbers = [value if isinstance(value, int) and value >= 0 else None for value in counted]
    return Reply(text if isinstance(text, str) else "", numbers[0], numbers[1])
