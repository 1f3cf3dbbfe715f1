"""The registry of variables: one place for every name, symbol, axis, unit and equation a result can carry.

Equation numbers are those of ``docs/model.md``. Files, tables, figures and reprs all read this registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from reesim.errors import LabelError

HAT = "baseline = 1"
USD = "million USD a year"
REAL_USD = "million USD a year at baseline prices"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a path or a static equilibrium.

    Parameters
    ----------
    name, symbol : str
        Name in the software and symbol in the equations.
    axes : tuple of str
        Labelled axes in array order, out of ``"region"``, ``"partner"``, ``"sector"``; empty for one number a date.
        For trade the region is the exporter and the partner the importer.
    unit, equation, description : str
        Unit, equation number, one sentence.
    """

    name: str
    symbol: str
    axes: tuple[str, ...]
    unit: str
    equation: str
    description: str


_REGION = ("region",)
_CELL = ("region", "sector")
_TRADE = ("region", "partner", "sector")

VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable("wage", "w_L", _REGION, HAT, "(17)", "Wage"),
        Variable("price_consumption", "P_C", _REGION, HAT, "(12)", "Price index of final consumption"),
        Variable("income", "I", _REGION, USD, "(16)", "Household income spent on consumption"),
        Variable("welfare", "I/P_C - 1", _REGION, "change as a share of baseline", "section 5", "Real income change"),
        Variable("welfare_usd", "EV", _REGION, USD, "section 5", "Equivalent variation"),
        Variable("gdp", "GDP", _REGION, USD, "(16)", "Gross domestic product, nominal"),
        Variable("real_gdp", "GDP/P", _REGION, REAL_USD, "section 5", "Gross domestic product over its Fisher index"),
        Variable("deficit", "D", _REGION, USD, "(16)", "Trade deficit received as a transfer"),
        Variable("labour", "L", _REGION, HAT, "(17)", "Labour endowment in force"),
        Variable("tariff_revenue", "T_M", _REGION, USD, "(16)", "Tariff revenue of the importer"),
        Variable(
            "export_tax_revenue", "T_X", _REGION, USD, "(16)", "Revenue of the exporter from taxes on exports of goods"
        ),
        Variable("subsidy_cost", "S", _REGION, USD, "(16)", "What households pay for subsidies on output and entry"),
        Variable("ree_price", "q", _REGION, HAT, "(15)", "Price of rare earths paid by users"),
        Variable("ree_mine_price", "w_R", (), HAT, "(15)", "Price of rare earths at the supplier's mines"),
        Variable(
            "ree_use",
            "R",
            _REGION,
            "tonnes a year",
            "(15)",
            "Use of rare earths (baseline foreign use: see calibration)",
        ),
        Variable("ree_imports", "M", _REGION, "tonnes a year", "(15)", "Imports of rare earths from the exporter"),
        Variable("ree_exports", "sum M", (), "tonnes a year", "(15)", "Exports of rare earths by the exporter"),
        Variable("ree_mined", "K", _REGION, "tonnes a year", "(15)", "Output of rare-earth mines owned in the region"),
        Variable("ree_wedge", "tau", _REGION, HAT, "(15)", "User price over mine price, relative to the baseline's"),
        Variable("ree_wedge_tax", "tau_tax", _REGION, HAT, "(15)", "Part of the wedge due to the export tax"),
        Variable("ree_wedge_quota", "tau_quota", (), "added to tau", "(15)", "Part of the wedge due to the quota"),
        Variable(
            "ree_wedge_embargo", "tau_embargo", _REGION, "added to tau", "(15)", "Part of the wedge due to an embargo"
        ),
        Variable("ree_tax_revenue", "T", _REGION, USD, "(15)", "Export-tax revenue collected on sales to the region"),
        Variable("ree_quota_rent", "T_Q", _REGION, USD, "(15)", "Quota rent on sales to the region"),
        Variable("ree_embargo_rent", "T_E", _REGION, USD, "(15)", "Embargo rent on sales to the region"),
        Variable("A_R", "A_R", _CELL, HAT, "(3), (22)", "Measure of varieties in the rare-earth bundle"),
        Variable("A_L", "A_L", _CELL, HAT, "(3), (22)", "Measure of varieties in the equipped-labour bundle"),
        Variable("profit_R", "pi_R", _CELL, HAT, "(7)", "Profit of one rare-earth variety"),
        Variable("profit_L", "pi_L", _CELL, HAT, "(7)", "Profit of one equipped-labour variety"),
        Variable("unit_cost", "c", _CELL, HAT, "(6)", "Unit cost of the sector's good"),
        Variable("posted_price", "p", _CELL, HAT, "(21)", "Price posted by the sector's producers"),
        Variable("price_index", "P", _CELL, HAT, "(11), (20)", "Price of the composite good where it is used"),
        Variable("revenue", "Y", _CELL, USD, "(14)", "Sales of the sector"),
        Variable("revenue_real", "Y/p", _CELL, REAL_USD, "(20)", "Quantity sold by the sector"),
        Variable("exports", "X", _CELL, USD, "(14)", "Sales of the sector to other regions at the border"),
        Variable("exports_real", "X/p", _CELL, REAL_USD, "(14)", "Quantity sold by the sector to other regions"),
        Variable("expenditure", "E", _CELL, USD, "(13)", "Spending of the region on the sector's composite"),
        Variable("ree_share", "s_R", _CELL, "share of value added", "(5), (23)", "Cost share of the rare-earth bundle"),
        Variable(
            "trade_share",
            "pi_jis",
            _TRADE,
            "share of expenditure",
            "(11), (21)",
            "Share of exporter in importer's spending",
        ),
        Variable("residual", "", (), "relative", "certificate", "Largest relative residual over all conditions"),
        Variable("policy_tax", "tau_tax", _REGION, HAT, "(19)", "Export-tax multiplier in force, relative to baseline"),
        Variable("policy_quota", "Q", (), "share of baseline exports", "(19)", "Export quota in force (missing: none)"),
        Variable(
            "policy_embargo", "", _REGION, "share of baseline imports", "(19)", "Embargo limit in force (missing: none)"
        ),
        Variable(
            "policy_tariff",
            "t",
            _REGION,
            "share of border value",
            "(19)",
            "Average tariff in force at baseline weights",
        ),
        Variable("policy_rent_share", "", (), "share", "(19)", "Share of quota rents kept by importers"),
    )
}

STATES = ("A_R", "A_L", "posted_price", "trade_share")
"""Variables that carry over from one period to the next; dated at the opening of the period."""

OPTIONAL_VALUES = ("policy_quota", "policy_embargo", "real_gdp")
"""Variables that may be missing (nan): limits that are not in force, and an index that has no value. Nothing else may be."""


def variable(name: str) -> Variable:
    """Look a variable up.

    Raises
    ------
    LabelError
        If the registry has no such variable; the message suggests the nearest.
    """
    try:
        return VARIABLES[name]
    except KeyError:
        import difflib

        near = difflib.get_close_matches(name, list(VARIABLES), n=1, cutoff=0.65)
        hint = f", did you mean {near[0]!r}?" if near else "."
        raise LabelError(f"no variable {name!r}{hint} Known: {', '.join(VARIABLES)}.") from None
