"""What can be chosen when the extended table is built; every output repeats it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args, get_type_hints

from reesim.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How the table is built, measured and mapped.

    Parameters
    ----------
    redefinitions : {"after", "before"}
        Variant of the benchmark tables.
    origin : {"total", "domestic"}
        Whether imported inputs carry the chain on.
    scrap : {"adjusted", "commodity"}
        Treatment of scrap in total requirements.
    by : {"industry", "commodity"}
        Final demand for an industry's output or for a commodity.
    prices, us_share : str
        Vintage of unit prices and variant of the shares of the United States, by their names in the input tables.
    applications : {"default", "all"}
        The applications that the input tables mark as the default, or all.
    sic_weights : {"equal", "output"}
        How industries of the table are averaged into one of the Standard Industrial Classification.
    """

    redefinitions: Literal["after", "before"] = "after"
    origin: Literal["total", "domestic"] = "total"
    scrap: Literal["adjusted", "commodity"] = "adjusted"
    by: Literal["industry", "commodity"] = "industry"
    prices: str = "2012-12"
    us_share: str = "usgs"
    applications: Literal["default", "all"] = "default"
    sic_weights: Literal["equal", "output"] = "equal"

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in fields(self):
            allowed, value = get_args(hints[item.name]), getattr(self, item.name)
            if allowed and value not in allowed:
                raise DataError(f"{item.name.replace('_', ' ')} should be one of {', '.join(allowed)}, not {value!r}")

    def changed(self, **values: str) -> Choices:
        """Return a copy with some choices changed."""
        return replace(self, **values)  # type: ignore[arg-type]  # checked when it is made

    def as_dict(self) -> dict[str, str]:
        """Names and values, in order."""
        return asdict(self)
