"""How a scenario shows itself: a few lines of text, and a card with a timeline of its policies for notebooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from html import escape
from typing import TYPE_CHECKING

from reesim.scenario.calendar import Calendar
from reesim.scenario.policy import Instrument
from reesim.scenario.worlds import DEFAULT_TABLE

if TYPE_CHECKING:
    from reesim.scenario import Scenario

_COLOURS = {
    "export_tax": "#b5651d",
    "export_quota": "#2f5d8a",
    "embargo": "#8a2f3c",
    "tariff": "#3f7d4e",
    "goods_export_tax": "#7a5c9e",
}
_SHOWN = 90


def as_text(scenario: Scenario) -> str:
    """Describe a scenario in fewer than eight lines."""
    lines = [f"<Scenario {scenario.name!r}{f': {_short(scenario.title)}' if scenario.title else ''}"]
    lines += [f"  {name}: {_short(value, 110)}" for name, value in _facts(scenario).items()]
    return "\n".join(lines) + ">"


def as_html(scenario: Scenario) -> str:
    """Describe a scenario as an HTML card; every text of the user's is escaped."""
    facts = "".join(
        f"<tr><td style='text-align:left;padding-right:1em'>{escape(name)}</td>"
        f"<td style='text-align:left'>{escape(_short(value, 300))}</td></tr>"
        for name, value in _facts(scenario).items()
    )
    title = f" {escape(scenario.title)}" if scenario.title else ""
    return (
        "<div style='border:1px solid #ccc;border-radius:4px;padding:0.6em;max-width:60em'>"
        f"<b>{escape(scenario.name)}</b>{title}<table>{facts}</table>{_timeline(scenario)}</div>"
    )


def _facts(scenario: Scenario) -> Mapping[str, str]:
    calendar, adjustment, parameters = scenario.calendar, scenario.adjustment, scenario.parameters
    rows = len(Calendar.for_scenario(scenario))
    by_sector = isinstance(parameters.sigma, Mapping) or scenario.trade_elasticity_path is not None
    sigma = "by sector" if by_sector else f"{parameters.sigma:g}"
    facts = {
        "calendar": f"{calendar.start} to {calendar.end}, {rows} rows of a {calendar.step}",
        "choices": (
            f"technology {scenario.technology}, entry cost {scenario.entry_cost}, deficit {scenario.deficit}, "
            + _rare_earths(scenario)
        ),
        "parameters": f"sigma {sigma}, rho {parameters.rho:g}, mu {parameters.mu:g}, delta {parameters.delta:g}",
        "half-lives (years)": f"entry {adjustment.entry:g}, prices {adjustment.prices:g}, trade {adjustment.trade:g}",
        "policies": _count(scenario.policies),
    }
    if scenario.calibration.table != DEFAULT_TABLE:
        facts["table"] = scenario.calibration.table
    if scenario.estimates_path is not None:
        facts["epsilon and gamma"] = f"from {scenario.estimates_path.name}"
    if scenario.overrides:
        facts["replaced"] = ", ".join(f"{path}={value}" for path, value in scenario.overrides.items())
    return facts


def _rare_earths(scenario: Scenario) -> str:
    if scenario.world.exporter is None:
        return "no rare earths"
    needed = scenario.world.requirements
    return f"shares {scenario.calibration.ree_shares}{f' ({needed.kind} requirements)' if needed else ''}"


def _count(policies: tuple[Instrument, ...]) -> str:
    counts = Counter(_kind(policy) for policy in policies)
    return ", ".join(f"{number} {kind}" for kind, number in counts.items()) or "none"


def _kind(policy: Instrument) -> str:
    return str(getattr(policy, "type", type(policy).__name__))


def _short(text: str, width: int = _SHOWN) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _words(policy: Instrument) -> str:
    """Say what an instrument does, and when."""
    return f"{policy.words}, {policy.start} to {policy.end or 'for good'}{f' ({policy.note})' if policy.note else ''}"


def _timeline(scenario: Scenario) -> str:
    """Bars over the calendar, one strip per kind of instrument."""
    opening, closing = scenario.calendar.start, scenario.calendar.end
    strips = []
    for kind in dict.fromkeys(_kind(policy) for policy in scenario.policies):
        bars = "".join(
            _bar(policy, opening, closing, _COLOURS.get(kind, "#555"))
            for policy in scenario.policies
            if _kind(policy) == kind
        )
        strips.append(
            f"<div style='font-size:85%'>{escape(kind)}</div>"
            f"<div style='position:relative;height:12px;background:#f0f0f0'>{bars}</div>"
        )
    style = "display:flex;justify-content:space-between;font-size:85%"
    ends = f"<div style='{style}'><span>{opening}</span><span>{closing}</span></div>"
    return f"{''.join(strips)}{ends}" if strips else ""


def _bar(policy: Instrument, opening: date, closing: date, colour: str) -> str:
    first, last = max(policy.start, opening), min(policy.end or closing, closing)
    if last < first:
        return ""
    days = (closing - opening).days + 1
    left, width = 100 * (first - opening).days / days, 100 * ((last - first).days + 1) / days
    return (
        f"<div title='{escape(_words(policy))}' style='position:absolute;left:{left:.2f}%;width:{width:.2f}%;"
        f"height:100%;background:{colour};border-right:1px solid #fff;box-sizing:border-box'></div>"
    )
