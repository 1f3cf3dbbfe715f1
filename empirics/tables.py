"""Tables of regressions: LaTeX, Markdown and HTML from the fits themselves, with the slides' numbers beside.

Every cell is taken from a fit, marks of fixed effects too: a column says Yes where the fit has absorbed that effect.
"""

from __future__ import annotations

import html as _html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reesim.empirics.regress.fit import Fit
from reesim.empirics.regress.published import Published
from reesim.errors import DataError
from reesim.results.whole import write_whole

STARS = ((0.01, "***"), (0.05, "**"), (0.10, "*"))
YES, NO = "Yes", "No"
ABSENT = ""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "×": r"$\times$", "−": r"$-$", "–": "--", "—": "---", "±": r"$\pm$", "≥": r"$\ge$", "≤": r"$\le$", "≈": r"$\approx$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$", "κ": r"$\kappa$",
    "μ": r"$\mu$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "ξ": r"$\xi$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$",
    "²": r"$^{2}$", "½": r"$\frac12$", "…": r"\ldots{}", "“": "``", "”": "''", "’": "'", "\N{NO-BREAK SPACE}": "~",
    "[": "{[}", "]": "{]}", '"': "''",
}  # fmt: skip
"""What would break or vanish in LaTeX. Brackets are wrapped: after a line break they would be read as its argument."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Column:
    """One regression of a table.

    Parameters
    ----------
    heading : str
        The group.
    fit : Fit
    sd : float, optional
        Standard deviation of sensitivity; with it a row gives the effect of one.
    deck : Published or None
        The slides' coefficient of the same regression.
    """

    heading: str
    fit: Fit
    sd: float | None = None
    deck: Published | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A label and a cell a column; `rule` draws a line above."""

    label: str
    cells: tuple[str, ...]
    rule: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text, before it is LaTeX, Markdown or HTML.

    Parameters
    ----------
    title : str
    headings : tuple of str
        Of the columns.
    rows : tuple of Row
    notes : tuple of str
    corner : str
        Heading of the labels.
    numbered : bool
        Whether columns are numbered, as regressions are.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    corner: str = ""
    numbered: bool = True

    def cell(self, label: str, column: int) -> str:
        """Return a cell by the label of its row and the position of its column.

        Raises
        ------
        DataError
            If there is no such row.
        """
        for row in self.rows:
            if row.label == label:
                return row.cells[column]
        raise DataError(f"table {self.title!r} has no row {label!r}")


def stars(p: float) -> str:
    """*** below 0.01, ** below 0.05, * below 0.10."""
    return next((mark for bound, mark in STARS if p < bound), "")


def number(value: float, digits: int = 3) -> str:
    """A number as tables print it: that many decimals, fewer for large ones, an exponent where nothing would be left."""
    size = abs(value)
    if size == 0.0:
        text = f"{size:.{digits}f}"
    elif size < 0.5 * 10.0**-digits or size >= 1e7:
        text = f"{size:.2e}"
    elif size >= 1000.0:
        text = f"{size:,.0f}"
    else:
        text = f"{size:.{max(0, digits - (size >= 10.0) - (size >= 100.0))}f}"
    return f"−{text}" if value < 0.0 else text


def of_fits(
    title: str,
    columns: Sequence[Column],
    term: str,
    *,
    label: str = "",
    notes: Sequence[str] = (),
    digits: int = 3,
) -> Table:
    """Lay out regressions, a column each, as the slides do, and the slides' numbers below ours.

    Parameters
    ----------
    title : str
    columns : sequence of Column
    term : str
        The coefficient of interest; others are controls, given below it.
    label : str, optional
        What to call it.
    notes : sequence of str
        Below the table, after what stars and brackets mean.
    digits : int
        Decimals.

    Raises
    ------
    DataError
        If there are no columns.
    LabelError
        If a fit does not have the term.
    """
    if not columns:
        raise DataError(f"table {title!r}: no regressions to show")
    fits = [column.fit for column in columns]
    rows = _coefficient_rows(fits, term, label or term, digits)
    if all(column.sd is not None for column in columns):
        rows.append(_row("Per standard deviation", columns, lambda c: _per_sd(c, term, digits)))
    if any(column.deck for column in columns):
        rows += [
            _row("Slides", columns, lambda c: _deck(c.deck, digits), rule=True),
            _row("", columns, lambda c: f"({number(c.deck.std_error, digits)})" if c.deck else ABSENT),
            _row("Slides, observations", columns, lambda c: f"{c.deck.observations:,}" if c.deck else ABSENT),
            _row("Slides, clusters", columns, lambda c: f"{c.deck.clusters:,}" if c.deck else ABSENT),
        ]
    rows += _footing(columns, term)
    return Table(title, tuple(column.heading for column in columns), tuple(rows), (*_key(columns), *notes))


def turned(table: Table) -> Table:
    """Return a table of regressions with a row for each of them; what is the same in all, but for coefficients, is a note."""
    foot = next(k for k, row in enumerate(table.rows) if row.rule)
    kept = [row for k, row in enumerate(table.rows) if k < foot or len(set(row.cells)) > 1]
    same = [f"{row.label} {row.cells[0]}" for row in table.rows[foot:] if len(set(row.cells)) == 1]
    notes = (*([f"In all rows: {'; '.join(same)}."] if same else []), *table.notes)
    rows = (Row(name, tuple(row.cells[k] for row in kept)) for k, name in enumerate(table.headings))
    return Table(table.title, tuple(row.label or "Error" for row in kept), tuple(rows), notes, numbered=False)


def _coefficient_rows(fits: Sequence[Fit], term: str, label: str, digits: int) -> list[Row]:
    for fit in fits:
        fit.at(term)
    controls = dict.fromkeys(name for fit in fits for name in fit.terms if name not in (term, "constant"))
    rows = []
    for name in (term, *controls):
        cells = [_coefficient(fit, name, digits) for fit in fits]
        rows += [
            Row(label if name == term else name, tuple(value for value, _ in cells)),
            Row("", tuple(error for _, error in cells)),
        ]
    return rows


def _coefficient(fit: Fit, term: str, digits: int) -> tuple[str, str]:
    if term not in fit.terms:
        return ABSENT, ABSENT
    k = fit.at(term)
    value = f"{number(fit.coefficients[k], digits)}{stars(float(fit.p[k]))}"
    return value, f"({number(fit.std_errors[k], digits)})"


def _footing(columns: Sequence[Column], term: str) -> list[Row]:
    effects = dict.fromkeys(name for column in columns for name in column.fit.effects)
    clustered = dict.fromkeys(column.fit.clustered_by for column in columns)
    rows = [
        _row("Observations", columns, lambda c: f"{c.fit.observations:,}", rule=True),
        _row("Clusters", columns, lambda c: f"{c.fit.clusters:,}"),
        _row("Controls", columns, lambda c: YES if set(c.fit.terms) - {term, "constant"} else NO),
        *(Row(_effect(name), tuple(YES if name in c.fit.effects else NO for c in columns)) for name in effects),
        _row("Estimator", columns, lambda c: c.fit.estimator),
        _row("Rows dropped, missing", columns, lambda c: f"{c.fit.dropped.missing:,}"),
        _row("Rows dropped, singletons", columns, lambda c: f"{c.fit.dropped.singletons:,}"),
        _row("Rows dropped, separated", columns, lambda c: f"{c.fit.dropped.separated:,}"),
    ]
    if len(clustered) > 1:
        rows.append(_row("Errors clustered by", columns, lambda c: ", ".join(c.fit.clustered_by) or "none, robust"))
    if any(column.fit.omitted for column in columns):
        rows.append(_row("Regressors omitted", columns, lambda c: ", ".join(c.fit.omitted)))
    return rows


def _row(label: str, columns: Sequence[Column], cell: Callable[[Column], str], *, rule: bool = False) -> Row:
    return Row(label, tuple(cell(column) for column in columns), rule)


def _effect(name: str) -> str:
    return f"{name.replace(' x ', ' × ').capitalize()} F.E."


def _per_sd(column: Column, term: str, digits: int) -> str:
    value = column.fit.coefficient(term) * (column.sd or 0.0)
    return number(value, digits + 1)


def _deck(deck: Published | None, digits: int) -> str:
    if deck is None:
        return ABSENT
    from scipy.stats import t

    p = 2.0 * float(t.sf(abs(deck.t), deck.clusters - 1))
    return f"{number(deck.estimate, digits)}{stars(p)}"


def _key(columns: Sequence[Column]) -> list[str]:
    errors = dict.fromkeys(column.fit.errors for column in columns)
    told = [
        f"Standard errors in parentheses, {'; '.join(errors)}. *** p < 0.01, ** p < 0.05, * p < 0.10, t with clusters − 1 "
        "degrees of freedom, for the slides' numbers too."
    ]
    if any(column.deck for column in columns):
        told.append("The slides' regressions have controls, which the slides do not name.")
    return told


def markdown(table: Table) -> str:
    """Return a Markdown table; `|`, `*` and what else is special is escaped."""
    heads = [
        _md(table.corner),
        *(f"{_md(name)}{_nth(table, k, ' ')}" for k, name in enumerate(table.headings, start=1)),
    ]
    lines = [f"**{_md(table.title)}**", "", _md_line(heads), _md_line(["---"] + ["---:"] * len(table.headings))]
    lines += [_md_line([_md(row.label), *map(_md, row.cells)]) for row in table.rows]
    lines += ["", *(f"{_md(note)}\n" for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def html(table: Table) -> str:
    """Return one HTML page with the table; everything is escaped."""
    e = _html.escape
    heads = "".join(f"<th>{e(name)}{_nth(table, k, '<br>')}</th>" for k, name in enumerate(table.headings, start=1))
    body = []
    for row in table.rows:
        kind = ' class="rule"' if row.rule else ""
        cells = "".join(f"<td>{e(cell)}</td>" for cell in row.cells)
        body.append(f"<tr{kind}><th>{e(row.label)}</th>{cells}</tr>")
    notes = "".join(f"<p>{e(note)}</p>" for note in table.notes)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{e(table.title)}</title>\n<style>\n'
        "body{font-family:Georgia,serif;margin:2em;max-width:70em}table{border-collapse:collapse;border-top:2px solid;"
        "border-bottom:2px solid}\nth,td{padding:.2em .7em;text-align:right;font-weight:normal}th:first-child{text-align:left}"
        "\nthead tr,tr.rule{border-bottom:1px solid}tr.rule{border-bottom:0;border-top:1px solid}p{font-size:85%}\n</style>\n"
        f"</head>\n<body>\n<table>\n<caption>{e(table.title)}</caption>\n<thead><tr><th>{e(table.corner)}</th>{heads}</tr></thead>\n<tbody>\n"
        + "\n".join(body)
        + f"\n</tbody>\n</table>\n{notes}\n</body>\n</html>\n"
    )


def latex(table: Table) -> str:
    """Return a LaTeX document that compiles by itself; the lines between the marks are the table alone."""
    t = escape_latex
    spec = "l" + "c" * len(table.headings)
    lines = [
        "% Compiles by itself. In a paper: \\usepackage{booktabs} and \\usepackage{standalone} in the preamble, then",
        "% \\input this file; or copy what stands between the two marks, for which booktabs is enough.",
        "\\documentclass{article}", "\\usepackage[T1]{fontenc}",
        "\\usepackage{booktabs}", "\\usepackage[landscape,margin=2cm]{geometry}", "\\begin{document}", "% --- table",
        "\\begin{table}[htbp]", "\\centering",
        f"\\caption{{{t(table.title)}}}", f"\\begin{{tabular}}{{{spec}}}", "\\toprule",
        " & ".join([t(table.corner), *map(t, table.headings)]) + r" \\",
    ]  # fmt: skip
    if table.numbered:
        lines.append(" & ".join(["", *(f"({k})" for k in range(1, len(table.headings) + 1))]) + r" \\")
    lines.append("\\midrule")
    for row in table.rows:
        lines += ["\\midrule"] * row.rule
        lines.append(" & ".join([t(row.label), *map(t, row.cells)]) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}", "\\par\\medskip", "\\begin{minipage}{0.95\\linewidth}\\footnotesize"]
    lines += [f"{t(note)}\\par" for note in table.notes]
    return "\n".join([*lines, "\\end{minipage}", "\\end{table}", "% --- end of table", "\\end{document}"]) + "\n"


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands, whatever is in it."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def write(table: Table, folder: Path, stem: str) -> list[Path]:
    """Write ``stem.tex``, ``stem.md`` and ``stem.html``, each whole.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    made = {"tex": latex(table), "md": markdown(table), "html": html(table)}
    return [write_whole(folder / f"{stem}.{ending}", text.encode()) for ending, text in made.items()]


def _nth(table: Table, column: int, before: str) -> str:
    return f"{before}({column})" if table.numbered else ""


def _md(text: str) -> str:
    cleaned = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\|*_`<>[]#~^$" else letter for letter in cleaned)


def _md_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
