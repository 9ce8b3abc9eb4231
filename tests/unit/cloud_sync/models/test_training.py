"""From the lake to a model's folder, and from there into the repository, by the commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest

from cloud_sync import cli
from cloud_sync.models import package
from cloud_sync.models.lake_frame import Wanted, read_lake
from edge_agent.inputs.simulated.faults import Fault
from edge_agent.inputs.simulated.pump import NAMES, SERIES, Pump
from headrace import cards
from headrace.errors import ModelError, UsageError
from headrace.lake.config import Lake
from headrace.limits.models import MODEL_MAX_METADATA_BYTES
from headrace.models.client import ModelRepositoryClient
from headrace.models.runtime import open_scorer
from headrace.models.sources import FolderSource
from tests.graphs import good
from tests.journals import START_US, Journal, batch
from tests.lakes import pipeline, settings
from tests.model_repository import Repository, packed, write

SECONDS = 400
START = datetime.fromtimestamp(START_US / 1e6, UTC)


def measured(seed: int, seconds: int, fault: Fault | None = None) -> np.ndarray:
    """A pump's features, a row a second."""
    pump = Pump(seed=seed, step_s=1.0, fault=fault)
    return np.array([pump.step() for _ in range(seconds)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two pumps, and a host that has nothing in common with them."""
    folder = tmp_path_factory.mktemp("data")
    journal = Journal(folder / "gateway" / "journal.db")
    for number in (1, 2):
        rows = measured(number, SECONDS)
        times = [START_US + 1_000_000 * second + 7 for second in range(SECONDS) for _ in NAMES]
        values = batch([*NAMES] * SECONDS, times, rows.ravel().tolist())
        journal.append(f"pump-{number}", values, units=dict(SERIES))
    journal.append("host", batch(["load"], [START_US], [1.0]))
    journal.append("pump-1", batch(["model/old/score"], [START_US], [1.0]))
    journal.close()
    path = pipeline(settings(folder))
    path.land()
    path.register()
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, ["models", *map(str, words)])


def lake(data: Path) -> Lake:
    return settings(data).lake


def test_rows_of_the_lake_are_the_rows_that_were_measured(data: Path) -> None:
    """Aligned by device, in order of time, with the units that came with the readings."""
    found = read_lake(lake(data), Wanted(devices=["pump-*"], features=NAMES), seed=1)
    assert found.frame.features == NAMES
    assert [matrix.shape for matrix in found.frame.files] == [(SECONDS, 8)] * 2
    assert np.array_equal(found.frame.files[1], measured(2, SECONDS))
    assert found.units == dict(SERIES)


def test_time_range_devices_and_sql_narrow_down_together(data: Path) -> None:
    """And the lineage says all of it, with the snapshot."""
    wanted = Wanted(
        sql="SELECT * FROM readings WHERE site = 'test'",
        first=START + timedelta(seconds=100),
        last=START + timedelta(seconds=150),
        devices=["pump-2"],
    )
    found = read_lake(lake(data), wanted, seed=1)
    assert [matrix.shape for matrix in found.frame.files] == [(50, 8)]
    assert found.frame.features == tuple(sorted(NAMES))
    lineage = found.lineage
    assert lineage.table == "headrace.readings"
    assert lineage.snapshot
    assert "pump-2" in lineage.sql
    assert lineage.first == "2025-06-15T15:08:20.000007+00:00"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(devices=["press-*"]), "no reading fits"),
        (Wanted(), "no series in common"),
        (Wanted(devices=["pump-*"], features=["load"]), "no reading fits"),
        (Wanted(devices=["pump-*", "host"], features=["flow", "load"]), "not every device has"),
        (Wanted(snapshot=7), "no snapshot 7"),
    ],
)
def test_what_does_not_fit_together_is_said(data: Path, wanted: Wanted, words: str) -> None:
    """Before anything is trained."""
    with pytest.raises(UsageError, match=words):
        read_lake(lake(data), wanted, seed=1)


@pytest.mark.parametrize("recipe", ["autoencoder", "t2q"])
def test_a_recipe_gives_a_folder_that_can_be_published(
    data: Path, tmp_path: Path, recipe: str
) -> None:
    """Scores are low where all is well and above the threshold when a bearing wears."""
    words = ("--data", data, "--devices", "pump-*", "--name", "pump", "--max-epochs", "60")
    for out in ("one", "two"):
        done = run("train", "--recipe", recipe, "--out", tmp_path / out, *words)
        assert done.exit_code == 0, done.output
    made = package.read(tmp_path / "one")
    assert made == package.read(tmp_path / "two")
    assert made.manifest.lineage.recipe == recipe
    assert made.manifest.lineage.rows == 2 * SECONDS
    assert {each.name: each.unit for each in made.manifest.features} == dict(SERIES)
    order = [NAMES.index(name) for name in made.manifest.feature_names]
    scorer = open_scorer(made.manifest, made.graph)
    worn = measured(2, 90, Fault("bearing_wear", after_s=30, ramp_s=10))[:, order]
    scores = scorer.score(worn)
    assert np.median(scores[:30]) < 3
    assert (scores[50:] > made.manifest.threshold).mean() > 0.9
    assert cards.read_card(tmp_path / "one").threshold == made.manifest.threshold


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected one of --data, --config and --csv"),
        (("--csv", "x.csv", "--devices", "a"), "exclude each other"),
        (("--data", "DATA", "--from", "yesterday"), "expected a time like"),
        (("--data", "DATA", "--sql", "DROP TABLE readings"), "syntax error"),
        (("--data", "nowhere"), "no readings are registered yet"),
    ],
)
def test_a_wrong_option_of_train_is_status_2(
    data: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """With what to do, and no folder."""
    given = [str(data) if word == "DATA" else word for word in words]
    done = run("train", "--name", "p", "--out", tmp_path / "out", *given)
    assert (done.exit_code, said in done.output) == (2, True), done.output
    assert not (tmp_path / "out").exists()


def test_a_forest_of_scikit_learn_is_wrapped_published_and_run(tmp_path: Path) -> None:
    """Through skl2onnx; its score is negated, so that high is odd."""
    rows = np.random.default_rng(3).normal(size=(400, 3)).astype(np.float32)
    forest = IsolationForest(n_estimators=10, random_state=0).fit(rows)
    made = to_onnx(forest, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3})
    (tmp_path / "forest.onnx").write_bytes(made.SerializeToString())
    lines = ["time,a,b,c"] + [
        f"{at},{row[0]},{row[1]},{row[2]}" for at, row in enumerate(rows.tolist())
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    done = run(
        "wrap", tmp_path / "forest.onnx", "--name", "forest", "--csv", tmp_path / "rows.csv",
        "--threshold", "0.05", "--tensor", "scores", "--negate", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    folder = package.read(tmp_path / "out")
    scorer = open_scorer(folder.manifest, folder.graph)
    odd = np.array([[9.0, -9.0, 9.0]])
    assert (
        scorer.score(odd)[0]
        > folder.manifest.threshold
        > np.median(scorer.score(rows.astype(float)))
    )
    expected = -forest.decision_function(odd)
    assert scorer.score(odd) == pytest.approx(expected, abs=1e-5)


def test_a_pickle_is_not_wrapped_whatever_its_name(tmp_path: Path) -> None:
    """Its bytes are looked at, not its name."""
    (tmp_path / "model.tflite").write_bytes(b"\x80\x04\x95\x00.")
    (tmp_path / "rows.csv").write_text("time,a\n0,1\n1,2\n")
    done = run(
        "wrap", tmp_path / "model.tflite", "--name", "m", "--csv", tmp_path / "rows.csv",
        "--threshold", "1", "--out", tmp_path / "out",
    )  # fmt: skip
    assert (done.exit_code, "is a pickle" in done.output) == (1, True), done.output


def test_the_commands_from_keys_to_revocation(data: Path, tmp_path: Path) -> None:
    """The way of the documentation, with a passphrase and two keys."""
    (tmp_path / "secret").write_text("open sesame\n")
    where = ("--repo", tmp_path / "repository", "--keys", tmp_path / "keys")
    secret = ("--passphrase-file", tmp_path / "secret")
    done = run("init-repo", *where, *secret, "--threshold", "2")
    assert done.exit_code == 0, done.output
    private = sorted(path.name for path in (tmp_path / "keys").glob("*.pem"))
    assert private == ["root-1.pem", "root-2.pem", "snapshot.pem", "targets-1.pem", "targets-2.pem", "timestamp.pem"]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").glob("*.pem")} == {0o600}
    words = ("--data", data, "--devices", "pump-*", "--name", "pump", "--recipe", "t2q")
    assert run("train", "--out", tmp_path / "pump", *words).exit_code == 0
    for _ in range(2):
        published = run("publish", tmp_path / "pump", *where, *secret, "--json")
    assert json.loads(published.stdout) == {"name": "pump", "version": 2}
    for version, to in ((1, "all"), (2, "canary")):
        assert run("promote", "pump", version, "--to", to, *where, *secret).exit_code == 0
    assert run("revoke", "pump", 2, "--reason", "worse", *where, *secret).exit_code == 0
    assert run("refresh", *where).exit_code == 0
    assert run("renew", *where, *secret).exit_code == 0
    listed = json.loads(run("list", *where, "--json").stdout)
    assert [(each["version"], each["to"], each["revoked"]) for each in listed] == [
        (1, ["all"], None), (2, [], "worse"),
    ]  # fmt: skip
    told = run("promote", "pump", 2, "--to", "all", *where, *secret)
    assert (told.exit_code, "revoked" in told.output) == (2, True)
    told = run("promote", "pump", 3, "--to", "all", *where, *secret)
    assert (told.exit_code, "there is 1, 2" in told.output) == (2, True)


def test_keys_that_are_missing_or_locked_are_said(data: Path, tmp_path: Path) -> None:
    """Which, and how to give them; nothing is changed."""
    (tmp_path / "secret").write_text("one\n")
    (tmp_path / "wrong").write_text("two\n")
    where = ("--repo", tmp_path / "repository", "--keys", tmp_path / "keys")
    secret = ("--passphrase-file", tmp_path / "secret")
    assert run("init-repo", *where, *secret, "--threshold", "2").exit_code == 0
    assert "has the keys of a repository" in run("init-repo", *where, *secret).output
    words = ("--data", data, "--devices", "pump-*", "--name", "pump", "--recipe", "t2q")
    assert run("train", "--out", tmp_path / "pump", *words).exit_code == 0
    before = (tmp_path / "repository" / "metadata" / "timestamp.json").read_bytes()
    assert "has a passphrase" in run("publish", tmp_path / "pump", *where).output
    wrong = run("publish", tmp_path / "pump", *where, "--passphrase-file", tmp_path / "wrong")
    assert "wrong passphrase" in wrong.output
    (tmp_path / "keys" / "targets-2.pem").rename(tmp_path / "safe.pem")
    assert "2 signatures needed" in run("publish", tmp_path / "pump", *where, *secret).output
    assert (tmp_path / "repository" / "metadata" / "timestamp.json").read_bytes() == before


def test_a_folder_whose_files_do_not_agree_is_not_published(data: Path, tmp_path: Path) -> None:
    """What a gateway would refuse is refused where somebody is at the keyboard."""
    words = ("--data", data, "--devices", "pump-*", "--name", "pump", "--recipe", "t2q")
    assert run("train", "--out", tmp_path / "pump", *words).exit_code == 0
    golden = tmp_path / "pump" / "golden.json"
    golden.write_bytes(golden.read_bytes().replace(b"1", b"2"))
    with pytest.raises(ModelError, match="the manifest lies"):
        package.read(tmp_path / "pump")
    (tmp_path / "pump" / "manifest.json").unlink()
    with pytest.raises(ModelError, match=r"manifest\.json: cannot be read"):
        package.read(tmp_path / "pump")


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_keys_of_a_role_are_replaced_and_sites_follow(tmp_path: Path, role: str) -> None:
    """The old ones sign nothing any more; sites still start from the root that they were given."""
    write(tmp_path / "m", packed(good()))
    where = ("--repo", tmp_path / "repository", "--keys", tmp_path / "keys")
    assert run("init-repo", *where).exit_code == 0
    assert run("publish", tmp_path / "m", *where).exit_code == 0
    site = ModelRepositoryClient(
        folder=tmp_path / "site",
        source=FolderSource(tmp_path / "repository"),
        trusted_root=(tmp_path / "keys" / "root.json").read_bytes(),
    )
    assert site.refresh().serial == 0
    replaced = run("replace-keys", role, "--out", tmp_path / "new", *where)
    assert replaced.exit_code == 0, replaced.output
    both = (*where, "--keys", tmp_path / "new")
    if role in ("targets", "snapshot", "timestamp"):
        assert "keys for 0 at hand" in run("promote", "m", 1, "--to", "all", *where).output
        assert site.refresh().serial == 0
    assert run("promote", "m", 1, "--to", "all", *both).exit_code == 0
    assert run("renew", *both).exit_code == 0
    assert site.refresh().wanted({}) == {"m": 1}


def test_metadata_that_no_site_would_read_is_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that has grown beyond its bound says so instead of going dark at every site."""
    monkeypatch.setitem(MODEL_MAX_METADATA_BYTES, "targets", 700)
    repository = Repository(tmp_path)
    with pytest.raises(ModelError, match=r"targets\.json: at most 700 bytes"):
        repository.publish(packed(good()))
    assert repository.releases.listed() == []
