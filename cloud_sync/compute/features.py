"""Features for training: series side by side in one row, what they did in the time before, what they were.

A row per device and step (a minute, an hour) that has all the series, made of rollup rows. Of the series
``flow`` there are the columns ``flow`` (mean of the step), ``flow_mean_15``, ``flow_min_15`` and ``flow_max_15``
over the 15 steps that end with this one, and ``flow_lag_5``, the mean five steps ago. Windows and lags go by time: a
step that is missing is missing, and the row before it does not take its place; a lag that is not there is null.

Whoever trains on the past must not look ahead: no column knows of a later step.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloud_sync.compute.exact import part_columns, split, total


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which features: columns and the names of their series; windows and lags in steps."""

    series: dict[str, str]
    step_us: int
    windows: tuple[int, ...] = ()
    lags: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()

    @property
    def back_us(self) -> int:
        return self.step_us * max([0, *(window - 1 for window in self.windows), *self.lags])

    def said(self) -> str:
        """As it stands in the table's properties: another definition is another table, another order is not."""
        ordered = msgspec.structs.replace(
            self, windows=_sorted(self.windows), lags=_sorted(self.lags),
            devices=_sorted(self.devices),
        )  # fmt: skip
        return msgspec.json.encode(ordered, order="sorted").decode()


def _sorted(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(values))


def columns_of(wanted: Wanted) -> tuple[str, ...]:
    """The columns beside site, device and time."""
    found: list[str] = []
    for column in wanted.series:
        found.append(column)
        for window in wanted.windows:
            found += [f"{column}_{what}_{window}" for what in ("mean", "min", "max")]
        found += [f"{column}_lag_{lag}" for lag in wanted.lags]
    return tuple(found)


def features(rollup: Any, wanted: Wanted) -> Any:
    """The expression."""
    rows = _side_by_side(_chosen(rollup, wanted), wanted)
    for column in wanted.series:
        rows = split(rows, f"{column}_sum")
    found = rows.select(
        "site", "device", "time", *wanted.series,
        **{name: value for column in wanted.series for name, value in _sums(rows, column, wanted).items()},
    )  # fmt: skip
    return _means(found, wanted)


def _chosen(rollup: Any, wanted: Wanted) -> Any:
    rows = rollup.filter(rollup["name"].isin(sorted(set(wanted.series.values()))))
    if wanted.devices:
        rows = rows.filter(rows["device"].re_search(device_pattern(wanted.devices)))
    return rows.mutate(unit=rows["unit"].fill_null(""))


def _side_by_side(rows: Any, wanted: Wanted) -> Any:
    """A row per device and step with the statistics of each series; of two units the first counts."""
    aggregates: dict[str, Any] = {}
    for column, name in wanted.series.items():
        mine = rows["name"] == name
        for what in ("sum", "count", "min", "max"):
            value = rows[what].argmin(rows["unit"], where=mine)
            aggregates[f"{column}_{what}"] = value.cast("float64")
    found = rows.group_by(["site", "device", "time"]).aggregate(**aggregates)
    found = found.filter([found[f"{column}_count"] > 0 for column in wanted.series])
    return found.mutate(
        **{column: found[f"{column}_sum"] / found[f"{column}_count"] for column in wanted.series}
    )


def _sums(rows: Any, column: str, wanted: Wanted) -> dict[str, Any]:
    """Sums, counts, least and most of each window, and the lags."""
    found: dict[str, Any] = {}
    for window in wanted.windows:
        frame = _frame(rows, (window - 1) * wanted.step_us, 0)
        for part in part_columns(f"{column}_sum"):
            found[f"{part}_{window}"] = rows[part].sum().over(frame)
        found[f"{column}_count_{window}"] = rows[f"{column}_count"].sum().over(frame)
        found[f"{column}_min_{window}"] = rows[f"{column}_min"].min().over(frame)
        found[f"{column}_max_{window}"] = rows[f"{column}_max"].max().over(frame)
    for lag in wanted.lags:
        frame = _frame(rows, lag * wanted.step_us, lag * wanted.step_us)
        found[f"{column}_lag_{lag}"] = rows[column].max().over(frame)
    return found


def _means(found: Any, wanted: Wanted) -> Any:
    means: dict[str, Any] = {}
    for column in wanted.series:
        for window in wanted.windows:
            parts = [found[f"{part}_{window}"] for part in part_columns(f"{column}_sum")]
            means[f"{column}_mean_{window}"] = total(parts) / found[f"{column}_count_{window}"]
    found = found.mutate(**means)
    return found.select("site", "device", "time", *columns_of(wanted))


def _frame(rows: Any, first_us: int, last_us: int) -> Any:
    """The rows of the same device from so long ago to so long ago."""
    import ibis

    return ibis.window(
        group_by=[rows["site"], rows["device"]], order_by=rows["time"], range=(-first_us, -last_us)
    )


def device_pattern(devices: tuple[str, ...]) -> str:
    """``pump-*`` and the like as a regular expression; ids have no other sign than ``.`` that means something."""
    return "^(" + "|".join(each.replace(".", "[.]").replace("*", ".*") for each in devices) + ")$"
