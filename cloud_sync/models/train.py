"""Train a model on readings of normal running and write its folder.

``python -m cloud_sync.models.train --csv normal.csv --out models/pump --name pump``

Nothing is written before LiteRT has scored the held-out rows and agrees with numpy: what a gateway
will compute is what was judged here. The threshold is a high quantile of held-out normal scores times
a margin: a quantile alone would, by its definition, be crossed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from cloud_sync.models.autoencoder import Autoencoder, Trained, train
from cloud_sync.models.frame import Frame, read_frames
from cloud_sync.models.tflite_writer import write_graph
from headrace import cards
from headrace.commands import reports_errors, verbose_option
from headrace.errors import ModelError, UsageError

THRESHOLD_QUANTILE: Final = 0.9999
THRESHOLD_MARGIN: Final = 1.5

#: How far LiteRT's float32 scores may be from numpy's float64 ones, relative to 1 + the score.
TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Result:
    """What was trained: files, card and how it went."""

    card: cards.Card
    graph: bytes
    trained: Trained
    largest_error: float


def make_model(
    frame: Frame, *, name: str, version: str, units: dict[str, str], align_s: float,
    trained_on: str, seed: int, max_epochs: int,
) -> Result:  # fmt: skip
    """Train, choose the threshold, author the graph and check it.

    Raises:
        ModelError: LiteRT does not agree with numpy, or is not installed.
    """
    trained = train(np.concatenate(frame.files), seed=seed, max_epochs=max_epochs)
    graph = _author(trained.model)
    largest = verify(graph, trained.model, trained.held_out)
    scores = trained.model.score(trained.held_out)
    threshold = float(np.quantile(scores, THRESHOLD_QUANTILE)) * THRESHOLD_MARGIN
    card = cards.Card(
        name=name,
        version=version,
        features=tuple(
            cards.Feature(feature, units.get(feature, "")) for feature in frame.features
        ),
        align_s=align_s,
        threshold=float(f"{threshold:.4g}"),
        sha256=cards.digest(graph),
        input=f"float32 [n, {len(frame.features)}]: features in this order, as measured",
        output="float32 [n]: mean squared error of rebuilding, about 1 where normal",
        trained_on=trained_on,
        seed=seed,
    )
    return Result(card, graph, trained, largest)


def _author(model: Autoencoder) -> bytes:
    try:
        return write_graph(model)
    except ImportError as error:
        raise ModelError(
            f"writing a graph needs ai-edge-litert: {error}", hint="pip install ai-edge-litert"
        ) from error


def verify(graph: bytes, model: Autoencoder, rows: NDArray[np.float64]) -> float:
    """The largest difference between LiteRT and numpy, relative to 1 + the score.

    Raises:
        ModelError: it is larger than ``TOLERANCE``.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    expected = model.score(rows)
    interpreter = Interpreter(
        model_content=graph,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, rows.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, rows.astype(np.float32))
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    if found.shape != expected.shape:
        raise ModelError(f"LiteRT gives scores of shape {found.shape}, expected {expected.shape}")
    largest = float(np.max(np.abs(found - expected) / (1.0 + expected)))
    if not largest <= TOLERANCE:
        raise ModelError(f"LiteRT and numpy differ by {largest:.3g}, expected at most {TOLERANCE}")
    return largest


def _units(pairs: tuple[str, ...]) -> dict[str, str]:
    units = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(units) < len(pairs):
        raise UsageError(f"--unit is given as FEATURE=UNIT, got {' '.join(pairs)}")
    return units


@click.command()
@click.option(
    "--csv", "paths", required=True, multiple=True, type=click.Path(path_type=Path),
    help="Readings of normal running: a time column and one column a series. May be repeated.",
)  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the model.")
@click.option("--name", required=True, help="Name of the model, and of its series of scores.")
@click.option("--version", "version", default="1", show_default=True, help="Version on the card.")
@click.option("--seed", default=7, show_default=True, help="Equal seeds give equal models.")
@click.option("--align-s", default=1.0, show_default=True, help="Readings this close make a row.")
@click.option("--max-epochs", default=150, show_default=True, help="Rounds over the data.")
@click.option("--unit", "units", multiple=True, help="FEATURE=UNIT for the card. May be repeated.")
@click.option("--trained-on", default="", help="What the data is, for the card.")
@click.option("--time-column", default="time", show_default=True, help="Not a feature.")
@click.option("--without", multiple=True, help="A column that is not a feature. May be repeated.")
@click.option("--delimiter", default=",", show_default=True, help="Between two cells.")
@verbose_option
@reports_errors
def main(
    paths: tuple[Path, ...], out: Path, name: str, version: str, seed: int, align_s: float,
    max_epochs: int, units: tuple[str, ...], trained_on: str, time_column: str,
    without: tuple[str, ...], delimiter: str,
) -> None:  # fmt: skip
    """Train an autoencoder on normal readings and write model.tflite and model.json.

    \b
    Example:
      python -m cloud_sync.models.train --csv normal.csv --out models/pump --name pump
    """
    frame = read_frames(paths, time_column=time_column, without=without, delimiter=delimiter)
    result = make_model(
        frame, name=name, version=version, units=_units(units), align_s=align_s, seed=seed,
        trained_on=trained_on or ", ".join(path.name for path in paths), max_epochs=max_epochs,
    )  # fmt: skip
    cards.write(out, result.card, result.graph)
    rows = sum(len(matrix) for matrix in frame.files)
    click.echo(
        f"{out}: {name} {version}, {len(result.graph)} bytes, threshold {result.card.threshold}; "
        f"{rows} rows, {result.trained.epochs} epochs, LiteRT and numpy differ by "
        f"{result.largest_error:.1g}"
    )


if __name__ == "__main__":
    main()
