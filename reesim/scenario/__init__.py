"""Scenarios: validated YAML, dated policy instruments, the calendar. How to add an instrument: `reesim.scenario.policy`."""

from reesim.scenario.model import (
    DEFAULT_REGIONS,
    DEFAULT_SECTORS,
    Elasticities,
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
    "Elasticities",
    "Scenario",
    "bundled",
    "check",
    "default_world",
    "json_schema",
    "parse_assignment",
]
