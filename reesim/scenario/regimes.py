"""What policy amounts to: regimes, the policies that differ from each other, and which of them holds in each period."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from reesim.errors import InputError
from reesim.labels import Labels

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RateChange:
    """Ad-valorem rates by flow in terms of the baseline's: ``(1 - weight) * baseline + value``.

    Parameters
    ----------
    weight_jis : (N, N, S) ndarray
        Share of the period in which the baseline's rate is replaced; 0 where it stays.
    value_jis : (N, N, S) ndarray
        What is put in its place and what is added to it, averaged over the period.
    """

    weight_jis: Floats
    value_jis: Floats

    def applied(self, baseline_jis: Floats, regions: Labels, sectors: Labels, name: str = "tariff") -> Floats:
        """Return the rates in force, (N, N, S), from the baseline's rates.

        Raises
        ------
        InputError
            If a rate would be -1 or less, so that a buyer would pay nothing; it names the flow.
        """
        rate_jis: Floats = (1.0 - self.weight_jis) * baseline_jis + self.value_jis
        if not (rate_jis > -1.0).all():
            j, i, s = np.unravel_index(int(rate_jis.argmin()), rate_jis.shape)
            flow = f"{regions.codes[j]} to {regions.codes[i]}, {sectors.codes[s]}"
            raise InputError(
                f"the {name} on {flow} would be {rate_jis[j, i, s]:g}: the baseline's {baseline_jis[j, i, s]:g} and the "
                "changes that policies add to it. It must stay above -1: add less"
            )
        return rate_jis


@dataclass(frozen=True, slots=True, eq=False)
class Regime:
    """A policy, relative to the baseline, averaged over the days for which it stands. Arrays are read-only.

    Attributes
    ----------
    tax_i : (N,) ndarray
        Multiplier of the rare-earth export tax on what a destination pays; 1 without a change, and 1 for the exporter.
    quota : float
        Limit on exports of rare earths as a share of baseline exports; inf without a quota.
    embargo_i : (N,) ndarray
        Limit on a destination's use as a share of its baseline; inf without an embargo.
    rent_share : float
        Share of quota rents kept by importers; 0 without a quota.
    ree_supply : float
        Factor on the exporter's deposits.
    ree_limit_share, ree_limit_tonnes : float
        Production quota: the limit is the share of the exporter's baseline supply plus these tonnes a year; the share is
        inf without a quota.
    mine_share_ji, mine_tonnes_ji : (N, N) ndarray
        Capacity of mines owned in j that sell in i: this share of the world's baseline supply plus these tonnes a year.
    labour_i : (N,) ndarray
        Factor on the endowment.
    productivity_is : (N, S) ndarray
        Factor on productivity.
    output_subsidy_is : (N, S) ndarray
        1 + rate: what producers get over what buyers pay them.
    entry_subsidy_R_is, entry_subsidy_L_is : (N, S) ndarray
        Share of the entry cost of each bundle that local households pay.
    tariff, export_tax : RateChange or None
        Tariffs, and taxes on exports of goods; None where no flow is touched.
    iceberg_jis : (N, N, S) ndarray or None
        Factor on iceberg trade costs; None where no flow is touched.
    """

    tax_i: Floats
    quota: float
    embargo_i: Floats
    rent_share: float
    ree_supply: float
    ree_limit_share: float
    ree_limit_tonnes: float
    mine_share_ji: Floats
    mine_tonnes_ji: Floats
    labour_i: Floats
    productivity_is: Floats
    output_subsidy_is: Floats
    entry_subsidy_R_is: Floats
    entry_subsidy_L_is: Floats
    tariff: RateChange | None = None
    export_tax: RateChange | None = None
    iceberg_jis: Floats | None = None

    def __post_init__(self) -> None:
        for array in self._arrays():
            array.flags.writeable = False

    @classmethod
    def neutral(cls, regions: int, sectors: int) -> Regime:
        """Return the policy of the baseline for N regions and S sectors."""
        cells = (regions, sectors)
        return cls(
            tax_i=np.ones(regions), quota=np.inf, embargo_i=np.full(regions, np.inf), rent_share=0.0,
            ree_supply=1.0, ree_limit_share=np.inf, ree_limit_tonnes=0.0,
            mine_share_ji=np.zeros((regions, regions)), mine_tonnes_ji=np.zeros((regions, regions)),
            labour_i=np.ones(regions), productivity_is=np.ones(cells), output_subsidy_is=np.ones(cells),
            entry_subsidy_R_is=np.zeros(cells), entry_subsidy_L_is=np.zeros(cells),
        )  # fmt: skip

    def _arrays(self) -> list[Floats]:
        values = [getattr(self, entry.name) for entry in fields(self)]
        parts = [
            part for value in values if isinstance(value, RateChange) for part in (value.weight_jis, value.value_jis)
        ]
        return [value for value in values if isinstance(value, np.ndarray)] + parts

    def fingerprint(self) -> bytes:
        """Digest of every number; two regimes with the same one are the same policy."""
        digest = hashlib.blake2b(digest_size=16)
        for entry in fields(self):
            value = getattr(self, entry.name)
            parts = (value.weight_jis, value.value_jis) if isinstance(value, RateChange) else (value,)
            for part in parts:
                digest.update(b"none" if part is None else np.ascontiguousarray(part, dtype="<f8").tobytes())
            digest.update(entry.name.encode())
        return digest.digest()


@dataclass(frozen=True, slots=True, eq=False)
class PolicySchedule:
    """Policy in force by period: the regimes, each once, and which of them holds when.

    Attributes
    ----------
    regimes : tuple of Regime
        In the order in which they first hold.
    regime_t : ndarray of int64, (period,)
        Position of each period's regime; read-only.
    """

    regimes: tuple[Regime, ...]
    regime_t: Counts

    def __post_init__(self) -> None:
        self.regime_t.flags.writeable = False

    @classmethod
    def of(cls, periods: Sequence[Regime]) -> PolicySchedule:
        """Collect the regimes of all periods, in order; equal ones are kept once."""
        kept: dict[bytes, int] = {}
        known: dict[int, int] = {}
        regimes: list[Regime] = []
        for regime in periods:
            if id(regime) in known:
                continue
            position = kept.setdefault(regime.fingerprint(), len(regimes))
            if position == len(regimes):
                regimes.append(regime)
            known[id(regime)] = position
        return cls(tuple(regimes), np.array([known[id(regime)] for regime in periods], np.int64))

    def __len__(self) -> int:
        return len(self.regime_t)

    @property
    def tax_ti(self) -> Floats:
        """Export-tax multiplier, (period, region)."""
        return np.array([regime.tax_i for regime in self.regimes])[self.regime_t]

    @property
    def quota_t(self) -> Floats:
        """Limit on exports of rare earths, (period,)."""
        return np.array([regime.quota for regime in self.regimes])[self.regime_t]

    @property
    def embargo_ti(self) -> Floats:
        """Limit on each destination's use, (period, region)."""
        return np.array([regime.embargo_i for regime in self.regimes])[self.regime_t]

    @property
    def rent_share_t(self) -> Floats:
        """Importers' share of quota rents, (period,)."""
        return np.array([regime.rent_share for regime in self.regimes])[self.regime_t]

    def after_baseline(self) -> PolicySchedule:
        """Schedule with a row before the first in which the baseline's own policy is in force."""
        neutral = Regime.neutral(*self.regimes[0].productivity_is.shape)
        return PolicySchedule.of([neutral, *(self.regimes[k] for k in self.regime_t)])


def average(regimes: Sequence[Regime], days: Sequence[int]) -> Regime:
    """Policy of a period of which each regime holds for some days; factors and rates are averaged over days.

    Days without a quota or a production quota count at the baseline's volume, days without an embargo at what the quota
    of the period leaves, days without a mine at nothing. Averages of equal numbers are those numbers, to the last bit.
    """
    if len(regimes) == 1:
        return regimes[0]
    weights = [count / sum(days) for count in days]

    def mean(name: str) -> Floats:
        return _mean([np.asarray(getattr(regime, name)) for regime in regimes], weights)

    quota, rent_share = _quota(regimes, days)
    embargoes = [regime.embargo_i for regime in regimes]
    limits = [np.asarray(regime.ree_limit_share) for regime in regimes]
    names = ("tax_i", "mine_share_ji", "mine_tonnes_ji", "labour_i", "productivity_is", "output_subsidy_is",
             "entry_subsidy_R_is", "entry_subsidy_L_is")  # fmt: skip
    return replace(
        regimes[0],
        quota=quota,
        rent_share=rent_share,
        # A destination's share on days without its embargo is what the period's quota leaves it.
        embargo_i=_limit(embargoes, weights, min(1.0, quota)),
        ree_supply=float(mean("ree_supply")),
        ree_limit_share=float(_limit(limits, weights, 1.0)),
        ree_limit_tonnes=float(mean("ree_limit_tonnes")),
        tariff=_mean_change([regime.tariff for regime in regimes], weights),
        export_tax=_mean_change([regime.export_tax for regime in regimes], weights),
        iceberg_jis=_mean_or_none([regime.iceberg_jis for regime in regimes], weights, 1.0),
        **{name: mean(name) for name in names},
    )


def _mean(values: Sequence[Floats], weights: Sequence[float]) -> Floats:
    # Differences from the first, so that the baseline replicates to the last digit where nothing changes.
    total = np.array(values[0], dtype=np.float64)
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total += weight * (value - values[0])
    return total


def _quota(regimes: Sequence[Regime], days: Sequence[int]) -> tuple[float, float]:
    """Limit on exports over a period, and the importers' share of its rents over the days with a quota."""
    limited = [(regime, count) for regime, count in zip(regimes, days, strict=True) if regime.quota < np.inf]
    if not limited:
        return np.inf, 0.0
    # What a slack quota would allow beyond the baseline's volume cannot be used under a tight one: it is not bankable.
    tight = min(regime.quota for regime, _ in limited) < 1.0
    flows = [
        np.asarray(min(regime.quota, 1.0) if tight or regime.quota == np.inf else regime.quota) for regime in regimes
    ]
    limited_days = sum(count for _, count in limited)
    rents = [np.asarray(regime.rent_share) for regime, _ in limited]
    quota = _mean(flows, [count / sum(days) for count in days])
    return float(quota), float(_mean(rents, [count / limited_days for _, count in limited]))


def _limit(limits: Sequence[Floats], weights: Sequence[float], otherwise: float) -> Floats:
    """Limit averaged over days, those without one counting as `otherwise`; inf where all are without."""
    filled = [np.where(np.isinf(limit), otherwise, limit) for limit in limits]
    return np.where(np.isinf(limits).all(axis=0), np.inf, _mean(filled, weights))


def _mean_or_none(arrays: Sequence[Floats | None], weights: Sequence[float], otherwise: float) -> Floats | None:
    touched = [array for array in arrays if array is not None]
    if not touched:
        return None
    plain = np.full(touched[0].shape, otherwise)
    return _mean([plain if array is None else array for array in arrays], weights)


def _mean_change(changes: Sequence[RateChange | None], weights: Sequence[float]) -> RateChange | None:
    weight_jis = _mean_or_none([change.weight_jis if change else None for change in changes], weights, 0.0)
    value_jis = _mean_or_none([change.value_jis if change else None for change in changes], weights, 0.0)
    return None if weight_jis is None or value_jis is None else RateChange(weight_jis, value_jis)
