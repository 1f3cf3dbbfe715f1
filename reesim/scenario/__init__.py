"""Scenarios: validated YAML, dated policy instruments, the calendar. A new instrument goes into `reesim.scenario.policy`."""

from reesim.scenario.model import (
    DEFAULT_REGIONS,
    DEFAULT_SECTORS,
    Scenario,
    bundled,
    check,
    default_world,
    json_schema,
    parse_assignment,
)

__all__ = [
    "DEFAULT_REGIONS",
    "DEFAULT_SECTORS",
    "Scenario",
    "bundled",
    "check",
    "default_world",
    "json_schema",
    "parse_assignment",
]
