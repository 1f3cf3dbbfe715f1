"""What made two results differ: their records of provenance, field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reesim.results.provenance import Provenance

Differences = Mapping[str, tuple[object, object]]
"""Field to (value in a, value in b); None where a side has no such field."""

_SECTIONS = ("choices", "inputs", "rules", "versions", "stability")
_FIELDS = ("calibration_hash", "substeps")
_WORDS = ("name", "title", "description")
_ENTRY = re.compile(r"""(?P<key>[^\s:#'"\[{][^:]*|'[^']*'|"[^"]*"):(?:\s+(?P<value>.*))?""")


def differences(a: Provenance, b: Provenance) -> dict[str, tuple[object, object]]:
    """Find what differs between two records.

    Returns
    -------
    dict
        ``scenario.<dotted path>``, ``choices.<name>``, ``inputs.<path>``, ``rules.<name>``, ``versions.<name>``,
        ``stability.<name>``, ``calibration_hash`` and ``substeps``, each with its value in ``a`` and in ``b``. Names,
        titles, descriptions, comments and the times of creation are not compared.
    """
    sections: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("scenario", _settings(a), _settings(b)),
        *((section, getattr(a, section), getattr(b, section)) for section in _SECTIONS),
    ]
    pairs: dict[str, tuple[object, object]] = {}
    for section, ours, theirs in sections:
        for key in dict.fromkeys((*ours, *theirs)):
            pair = (ours.get(key), theirs.get(key))
            if repr(pair[0]) != repr(pair[1]):  # repr: nan is equal to itself, 1 is not 1.0
                pairs[f"{section}.{key}"] = pair
    for key in _FIELDS:
        if getattr(a, key) != getattr(b, key):
            pairs[key] = (getattr(a, key), getattr(b, key))
    return pairs


def _settings(record: Provenance) -> dict[str, str]:
    return {key: value for key, value in addressed(record.effective_scenario).items() if key not in _WORDS}


def addressed(text: str) -> dict[str, str]:
    """Give each value of canonical block YAML its dotted path; values stay as they are written.

    This is for telling two texts apart, not for reading YAML: it finds where a line belongs from its indentation, and
    whatever it cannot place is added to the entry above, so that no difference is lost.
    """
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    # Open blocks, as (depth, key): a key is as deep as twice its column, an item of a list just below its dash, so
    # that a list may stand at the column of the key that it belongs to.
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        body = line.strip()
        column = len(line) - len(line.lstrip())
        holder = _path([block for block in stack if block[0] < 2 * column])
        if holder in found:  # what has a value holds no entries: this line goes on with that value
            found[holder] = f"{found[holder]} {body}"
            continue
        while body == "-" or body.startswith("- "):
            stack = [block for block in stack if block[0] <= 2 * column]
            parent = _path(stack)
            counts[parent] = counts.get(parent, -1) + 1
            stack.append((2 * column + 1, str(counts[parent])))
            column += len(body) - len(body[1:].lstrip())
            body = body[1:].lstrip()
        entry = _ENTRY.fullmatch(body)
        if entry:
            stack = [block for block in stack if block[0] < 2 * column]
            stack.append((2 * column, entry["key"].strip("'\"")))
            body = entry["value"] or ""
        if body and not body.startswith("#"):
            found[_path(stack)] = f"{found.get(_path(stack), '')} {body}".strip()
    return found


def _path(stack: list[tuple[int, str]]) -> str:
    return ".".join(key for _, key in stack)
