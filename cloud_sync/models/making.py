"""``cloud-sync models train`` and ``wrap``: the commands that make a model's folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.commands import reports_errors, verbose_option
from headrace.errors import UsageError

if TYPE_CHECKING:
    from cloud_sync.models.lake_frame import LakeFrame
    from headrace.lake.config import Lake


@click.command()
@click.option(
    "--recipe",
    default="autoencoder",
    show_default=True,
    type=click.Choice(["autoencoder", "t2q"]),
    help="autoencoder: bends; t2q: Hotelling's T² and Q, straight lines, explainable.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the model.")
@click.option("--name", required=True, help="Name of the model, and of its series of scores.")
@click.option("--data", type=click.Path(path_type=Path), help="Train on the lake of a data folder.")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Train on the lake of a cloud_sync.toml.",
)
@click.option("--from", "first", help="Readings from this time on (2026-11-01, 2026-11-01T06:00).")
@click.option("--to", "last", help="Readings before this time. Both are UTC.")
@click.option("--devices", multiple=True, help="A glob of device ids. May be repeated.")
@click.option(
    "--feature",
    "features",
    multiple=True,
    help="A series. May be repeated. Default: all that the devices have in common.",
)
@click.option("--sql", default="", help="A statement that gives rows of the view readings.")
@click.option("--snapshot", type=int, help="Snapshot of the table. Default: the newest.")
@click.option(
    "--csv",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Instead of a lake: a time column and one column a series. May be repeated.",
)
@click.option("--time-column", default="time", show_default=True, help="CSV: not a feature.")
@click.option("--without", multiple=True, help="CSV: a column that is no feature. May be repeated.")
@click.option("--delimiter", default=",", show_default=True, help="CSV: between two cells.")
@click.option(
    "--unit",
    "units",
    multiple=True,
    help="FEATURE=UNIT for the card, in place of the lake's. May be repeated.",
)
@click.option("--trained-on", default="", help="What the data is, for the card.")
@click.option("--seed", default=7, show_default=True, help="Equal seeds give equal models.")
@click.option("--align-s", default=1.0, show_default=True, help="Readings this close make a row.")
@click.option("--max-epochs", default=150, show_default=True, help="Rounds over the data at most.")
@verbose_option
@reports_errors
def train(
    recipe: str, out: Path, name: str, data: Path | None, config_path: Path | None,
    first: str | None, last: str | None, devices: tuple[str, ...], features: tuple[str, ...],
    sql: str, snapshot: int | None, paths: tuple[Path, ...], time_column: str,
    without: tuple[str, ...], delimiter: str, units: tuple[str, ...], trained_on: str, seed: int,
    align_s: float, max_epochs: int,
) -> None:  # fmt: skip
    """Train on normal readings and write a model's folder.

    \b
    Examples:
      cloud-sync models train --name pump --out pump --data headrace-data --devices 'pump-*' \\
        --from 2026-11-01 --to 2026-11-08
      cloud-sync models train --name pump --out pump --csv normal.csv --recipe t2q
    """
    # Imported here: numpy, the lake and LiteRT take a second, and --help should not.
    try:
        from cloud_sync.models import train as training
        from cloud_sync.models.lake_frame import EVERYTHING, LakeFrame, Wanted, read_lake
    except ImportError as error:
        raise UsageError(
            f"training needs more than is installed: {error}",
            hint="pip install 'headrace[cloud,training]'",
        ) from error

    if paths:
        if data or config_path or sql or devices or features or first or last or snapshot:
            raise UsageError(
                "--csv and a lake exclude each other", hint="leave --data, --sql and the like away"
            )
        found = _read_csv(paths, time_column, without, delimiter, seed, trained_on)
    else:
        wanted = Wanted(
            sql=sql or EVERYTHING, first=_time("--from", first), last=_time("--to", last),
            devices=devices, features=features, align_s=align_s, snapshot=snapshot,
        )  # fmt: skip
        found = read_lake(_lake(data, config_path), wanted, seed=seed, trained_on=trained_on)
    found = LakeFrame(found.frame, found.units | _units(units), found.lineage)
    result = training.make_model(
        found.frame, name=_name(name), units=found.units, align_s=align_s, lineage=found.lineage,
        max_epochs=max_epochs, recipe=recipe,
    )  # fmt: skip
    training.write(out, result)
    click.echo(
        f"{out}: {name}, {recipe}, {len(result.graph)} bytes, threshold "
        f"{result.manifest.threshold}; {result.manifest.lineage.rows} rows, {result.said}, LiteRT "
        f"and numpy differ by {result.largest_error:.1g}"
    )


@click.command()
@click.argument("graph", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the model.")
@click.option("--name", required=True, help="Name of the model, and of its series of scores.")
@click.option(
    "--csv",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="Rows that it was tried on, a column a feature, in the graph's order.",
)
@click.option("--threshold", required=True, type=float, help="A score above it is not normal.")
@click.option("--time-column", default="time", show_default=True, help="Not a feature.")
@click.option("--without", multiple=True, help="A column that is no feature. May be repeated.")
@click.option("--unit", "units", multiple=True, help="FEATURE=UNIT. May be repeated.")
@click.option("--tensor", default="", help="Output of the graph that is the score.")
@click.option("--negate", is_flag=True, help="The graph's number is low where a row is not normal.")
@click.option("--trained-on", default="", help="What it was trained on, for people.")
@click.option("--align-s", default=1.0, show_default=True, help="Readings this close make a row.")
@verbose_option
@reports_errors
def wrap(
    graph: Path, out: Path, name: str, path: Path, threshold: float, time_column: str,
    without: tuple[str, ...], units: tuple[str, ...], tensor: str, negate: bool, trained_on: str,
    align_s: float,
) -> None:  # fmt: skip
    """Make a model's folder of a .tflite or .onnx file.

    Golden vectors are rows of the CSV file and what the runtime here says of them. Pickles, Keras
    files and whatever else can carry code are refused.

    \b
    Example:
      cloud-sync models wrap forest.onnx --name pump --csv rows.csv --threshold 0.1 --out pump \\
        --tensor scores --negate
    """
    from cloud_sync.models.frame import read_frames
    from cloud_sync.models.wrapping import wrap_graph

    if not threshold > 0:
        raise UsageError(f"--threshold: expected a number above 0, got {threshold}")
    frame = read_frames([path], time_column=time_column, without=without, delimiter=",")
    manifest = wrap_graph(
        graph, out, frame, name=_name(name), units=_units(units), threshold=threshold,
        align_s=align_s, tensor=tensor, negate=negate, trained_on=trained_on,
    )  # fmt: skip
    click.echo(f"{out}: {name}, {manifest.runtime}, {manifest.graph.bytes} bytes")


def _read_csv(
    paths: tuple[Path, ...], time_column: str, without: tuple[str, ...], delimiter: str, seed: int,
    trained_on: str,
) -> LakeFrame:  # fmt: skip
    from cloud_sync.models.frame import read_frames
    from cloud_sync.models.lake_frame import LakeFrame
    from headrace.models.manifest import Lineage

    frame = read_frames(paths, time_column=time_column, without=without, delimiter=delimiter)
    said = trained_on or ", ".join(path.name for path in paths)
    return LakeFrame(frame, {}, Lineage(seed=seed, trained_on=said))


def _lake(data: Path | None, config_path: Path | None) -> Lake:
    from cloud_sync import config as configuration

    if (data is None) == (config_path is None):
        raise UsageError(
            "expected one of --data, --config and --csv",
            hint="--data headrace-data trains on the demo's lake",
        )
    if data is not None:
        return configuration.for_data(data).lake
    return configuration.load(Path(str(config_path))).lake


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option}: expected a time like 2026-11-01T06:00, got {text!r}"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _units(pairs: tuple[str, ...]) -> dict[str, str]:
    units = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(units) < len(pairs):
        raise UsageError(f"--unit is given as FEATURE=UNIT, got {' '.join(pairs)}")
    return units


def _name(name: str) -> str:
    from headrace.models.repository import check_name

    return check_name(name)
