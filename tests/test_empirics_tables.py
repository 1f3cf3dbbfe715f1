"""Tables of regressions: every printed mark parsed back and held against the fit it is of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.empirics import tables
from reesim.empirics.regress.fit import Fit, ols, ppml
from reesim.empirics.regress.published import published
from reesim.empirics.tables import Column, Row, Table
from reesim.errors import DataError, LabelError, StoreError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")

TERM = "sensitivity x post"
UGLY = r"a_b ^ 50 % of $1 & #2 {x} ~ <c> | [d] \e *f* `g` "


@pytest.fixture(scope="module")
def fits() -> list[Fit]:
    """Fits that differ in estimator, fixed effects, controls, clusters and dropped rows."""
    rng = np.random.default_rng(7)
    unit, year = np.repeat(np.arange(24), 6), np.tile(np.arange(6), 24)
    frame = pd.DataFrame(
        {"region x industry": unit, "region x year": year + 10 * (unit % 2), "wages": rng.normal(size=144)}
    )
    frame[TERM] = rng.normal(size=24)[unit] * (year >= 3)
    frame["count"] = rng.poisson(np.exp(1.0 + 0.4 * frame[TERM])).astype(float)
    frame.loc[[0, 50], "count"] = np.nan
    frame.loc[frame["region x industry"] == 5, "count"] = 0.0
    two, one = ("region x industry", "region x year"), ("region x industry",)
    return [
        ppml(frame, "count", [TERM], effects=two, cluster="region x industry"),
        ols(frame, "count", [TERM, "wages"], effects=two, cluster="region x industry"),
        ols(frame, "count", [TERM], effects=one, cluster="region x industry"),
        ols(frame, "count", [TERM, "wages"]),
    ]


@pytest.fixture(scope="module")
def table(fits: list[Fit]) -> Table:
    deck = published("patents", "enhancing patents", "PPML", "NONCHN")
    columns = [Column(heading=f"{UGLY}{k}", fit=fit, sd=0.5, deck=None if k else deck) for k, fit in enumerate(fits)]
    return tables.of_fits(f"Title {UGLY}", columns, TERM, label="REE sens. × post", notes=[UGLY])


def of_markdown(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[re.sub(r"\\(.)", r"\1", cell).strip() for cell in row] for k, row in enumerate(rows) if k != 1]


class Cells(HTMLParser):
    """Cells of a page's table by rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True
        elif tag == "br":
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def of_html(text: str) -> list[list[str]]:
    parser = Cells()
    parser.feed(text)
    return [[cell.strip() for cell in row] for row in parser.rows]


PLAIN = {letters: plain for plain, letters in tables._LATEX.items() if plain not in "“”"}
"""What LaTeX prints for each escape: the inverse of the writer's own table, whose escapes must therefore differ."""


def of_latex(text: str) -> list[list[str]]:
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [line[:-2].strip() for line in body.splitlines() if line.endswith(r"\\")]
    words = re.compile("|".join(re.escape(escape) for escape in sorted(PLAIN, key=len, reverse=True)))
    cells = [
        [words.sub(lambda found: PLAIN[found.group()], cell).strip() for cell in re.split(r"(?<!\\)&", row)]
        for row in rows
    ]
    heads = [f"{name} {number}".strip() for name, number in zip(cells[0], cells[1], strict=True)]
    return [heads, *cells[2:]]


READERS = {tables.markdown: of_markdown, tables.html: of_html, tables.latex: of_latex}


@pytest.mark.parametrize("render", READERS, ids=lambda render: render.__name__)
def test_every_mark_against_the_fit(render: Callable[[Table], str], table: Table, fits: list[Fit]) -> None:
    heads, *rows = READERS[render](render(table))
    plain = " ".join(UGLY.split())
    assert [head.split(" (")[0] for head in heads[1:]] == [
        f"{plain} {k}" if " " in UGLY[-1:] else plain for k in range(4)
    ]
    printed = {row[0]: row[1:] for row in rows if row[0]}
    for k, fit in enumerate(fits):
        assert printed["Observations"][k] == f"{fit.observations:,}"
        assert printed["Clusters"][k] == f"{fit.clusters:,}"
        assert printed["Estimator"][k] == fit.estimator
        assert printed["Controls"][k] == ("Yes" if "wages" in fit.terms else "No")
        assert printed["Region × industry F.E."][k] == ("Yes" if "region x industry" in fit.effects else "No")
        assert printed["Region × year F.E."][k] == ("Yes" if "region x year" in fit.effects else "No")
        dropped = [printed[f"Rows dropped, {name}"][k] for name in ("missing", "singletons", "separated")]
        assert dropped == [str(n) for n in (fit.dropped.missing, fit.dropped.singletons, fit.dropped.separated)]
        value, mark = re.fullmatch(r"(−?[\d.]+)(\**)", printed["REE sens. × post"][k]).groups()  # type: ignore[union-attr]
        assert float(value.replace("−", "-")) == pytest.approx(fit.coefficient(TERM), abs=5e-4)
        assert (
            mark == {0: "", 1: "*", 2: "**", 3: "***"}[sum(fit.p[fit.at(TERM)] < bound for bound in (0.01, 0.05, 0.1))]
        )
        error = rows[[row[0] for row in rows].index("REE sens. × post") + 1][k + 1]
        assert float(error.strip("()")) == pytest.approx(fit.std_error(TERM), abs=5e-4)
    assert printed["Slides"] == ["15.46***", "", "", ""]
    assert [bool(cell) for cell in printed["wages"]] == [False, True, False, True]


def test_marks_of_fixed_effects_differ_between_columns(table: Table) -> None:
    """The fixture would not notice a table that prints the same mark everywhere."""
    assert [table.cell("Region × year F.E.", k) for k in range(4)] == ["Yes", "Yes", "No", "No"]
    assert [table.cell("Region × industry F.E.", k) for k in range(4)] == ["Yes", "Yes", "Yes", "No"]
    with pytest.raises(DataError, match="no row 'Weather'"):
        table.cell("Weather", 0)


def test_latex_escapes_what_would_break(table: Table) -> None:
    """Outside its own commands nothing special is left bare, and braces balance."""
    text = tables.latex(table)
    for line in text.splitlines():
        bare = re.sub(r"\\[&%$#_{}]", "", line.split("%")[0] if line.startswith("%") else line)
        assert bare.count("{") == bare.count("}")
        assert "^" not in re.sub(r"\$[^$]*\$", "", bare)
        assert bare.count("$") % 2 == 0
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert {name for name in re.findall(r"\\usepackage(?:\[.*?\])?\{(\w+)\}", text.split(r"\documentclass")[1])} == {
        "fontenc", "booktabs", "geometry",
    }  # fmt: skip
    columns = {row.count(" & ") for row in text.splitlines() if row.endswith(r"\\")}
    assert columns == {4}


def test_a_row_that_begins_with_a_bracket_is_not_an_argument() -> None:
    text = tables.latex(Table("t", ("a",), (Row("x", ("1",)), Row("[2010]", ("2",))), ()))
    assert "\n{[}2010{]} & 2 \\\\" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.88, "0.880"), (15.46, "15.46"), (-17.25, "−17.25"), (341.2345, "341.2"), (-2646.24, "−2,646"), (0.0, "0.000"),
     (0.00001234, "1.23e-05"), (3.2e9, "3.20e+09")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert tables.number(value) == text


def test_stars() -> None:
    assert [tables.stars(p) for p in (0.0099, 0.01, 0.0499, 0.05, 0.0999, 0.1)] == ["***", "**", "**", "*", "*", ""]


def test_refusals(fits: list[Fit], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no regressions to show"):
        tables.of_fits("t", [], TERM)
    with pytest.raises(LabelError, match="no term 'other'"):
        tables.of_fits("t", [Column(heading="a", fit=fits[0])], "other")
    with pytest.raises(StoreError, match="there is no folder"):
        tables.write(Table("t", ("a",), (), ()), tmp_path / "no", "t")


def test_files(table: Table, tmp_path: Path) -> None:
    files = tables.write(table, tmp_path, "main")
    assert [file.name for file in files] == ["main.tex", "main.md", "main.html"]
    assert files[1].read_text(encoding="utf-8") == tables.markdown(table)


@pytest.mark.parametrize("render", READERS, ids=lambda render: render.__name__)
def test_columns_that_are_no_regressions_have_no_numbers(render: Callable[[tables.Table], str]) -> None:
    plain = tables.Table(
        "T", ("ε", "γ"), (tables.Row("Cars & vans", ("1.0", "–")),), (), corner="Sector", numbered=False
    )
    text = render(plain)
    assert "Sector" in text
    assert "(1)" not in text
    assert "(1)" in render(replace(plain, numbered=True))


def test_a_table_turned_has_a_row_for_each_regression(fits: list[Fit]) -> None:
    """Every cell of the upright table is in the turned one: in its row, or once for all below."""
    columns = [Column(heading=f"way {k}", fit=fit, sd=0.5) for k, fit in enumerate(fits[:3])]
    upright = tables.of_fits("T", columns, TERM, label="coefficient", notes=["a note"])
    turned = tables.turned(upright)
    assert [row.label for row in turned.rows] == ["way 0", "way 1", "way 2"]
    assert turned.headings[:5] == ("coefficient", "Error", "wages", "Error", "Per standard deviation")
    assert not turned.numbered
    assert turned.notes[-1] == "a note"
    once = next(note for note in turned.notes if note.startswith("In all rows: "))
    for row in upright.rows:
        if row.label in turned.headings:
            assert tuple(turned.cell(f"way {k}", turned.headings.index(row.label)) for k in range(3)) == row.cells
        elif row.label:
            assert len(set(row.cells)) == 1
            assert f"{row.label} {row.cells[0]}" in once
    assert tuple(row.cells[1] for row in turned.rows) == upright.rows[1].cells
    assert tables.turned(tables.of_fits("T", columns[:1], TERM)).headings[:2] == (TERM, "Error")
