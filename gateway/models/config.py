"""Settings of the ``[model_repository]`` table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from gateway.inference import ModelConfig
from gateway.models.tokens import read_token
from gateway.rules import RuleConfig
from headrace import cards
from headrace.config import FaultList
from headrace.derived import relative_name
from headrace.errors import ModelError
from headrace.lake.config import S3
from headrace.limits.edge_models import (
    MODELS_CALL_TIMEOUT_S,
    MODELS_MAX_SLOTS,
    MODELS_POLL_INTERVAL_S,
    MODELS_PROBATION_S,
    MODELS_SHADOW_S,
)
from headrace.models.gates import Gates
from headrace.models.lanes import Trial

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """``[[model_repository.models]]``: a model that runs otherwise than its manifest says.

    Attributes:
        name: the model's.
        device: glob of the device ids that it judges.
        prefix: put before each feature to find its series.
        threshold: replaces the manifest's.
    """

    name: Name
    device: Annotated[str, Meta(min_length=1)] = "*"
    prefix: str = ""
    threshold: Annotated[float, Meta(gt=0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """``[model_repository.mirror]``: a listener for agents, read-only. Off without a port."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    tls: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRepositoryConfig:
    """``[model_repository]``: off without a source.

    Attributes:
        source: a folder, ``http(s)://…`` or ``s3://bucket/prefix``.
        root: the repository's trusted root, got from whoever keeps its keys.
        labels: of this site, beside ``site`` itself: what promotions choose by.
        shadow_s: how long a version runs beside the active one.
        probation_s: how long the gates watch it after the switch.
        inputs_wait_s: how long a version waits for the series that it needs.
        call_timeout_s: a call that takes longer ends the version.
        nudge_token_file: a secret; who has it may have this gateway look now. Off without.
    """

    source: str = ""
    root: Path | None = None
    poll_interval_s: Annotated[float, Meta(ge=1, le=86_400)] = MODELS_POLL_INTERVAL_S
    labels: dict[str, str] = field(default_factory=dict)
    shadow_s: Annotated[float, Meta(ge=0)] = MODELS_SHADOW_S
    probation_s: Annotated[float, Meta(ge=0)] = MODELS_PROBATION_S
    inputs_wait_s: Annotated[float, Meta(ge=0)] = 60.0
    call_timeout_s: Annotated[float, Meta(gt=0, le=60)] = MODELS_CALL_TIMEOUT_S
    gates: Gates = field(default_factory=Gates)
    models: tuple[Use, ...] = ()
    mirror: Mirror = field(default_factory=Mirror)
    nudge_token_file: Path | None = None
    s3: S3 = field(default_factory=S3)

    @property
    def enabled(self) -> bool:
        return bool(self.source)

    def trial(self, name: str) -> Trial:
        """How versions of a model are tried here."""
        return Trial(
            shadow_s=self.shadow_s,
            probation_s=self.probation_s,
            gates=self.gates,
            call_timeout_s=self.call_timeout_s,
            threshold=self.use(name).threshold,
        )

    def use(self, name: str) -> Use:
        """How a model is to be run here."""
        return next((use for use in self.models if use.name == name), Use(name=name))


def check_repository(
    config: ModelRepositoryConfig, models: Sequence[ModelConfig], found: FaultList
) -> None:
    """Add what single fields cannot say."""
    key = "model_repository"
    if not config.enabled:
        if config.models:
            found.add(f"{key}.source", "missing; where is the repository of these models?")
        return
    if config.root is None:
        found.add(f"{key}.root", "missing; the repository's root.json, got from whoever publishes")
    elif not config.root.is_file():
        found.add(f"{key}.root", f"no such file: {config.root}")
    if config.nudge_token_file is not None:
        try:
            read_token(config.nudge_token_file)
        except ModelError as error:
            found.add(f"{key}.nudge_token_file", str(error))
    if len(config.models) > MODELS_MAX_SLOTS:
        found.add(f"{key}.models", f"expected at most {MODELS_MAX_SLOTS}, got {len(config.models)}")
    names = [use.name for use in config.models]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        found.add(f"{key}.models", f"{twice!r} is there twice")
    for both in sorted(set(names) & fixed_names(models)):
        found.add(f"{key}.models", f"{both!r} is in [[models]] too; keep one of both")
    _check_mirror(config.mirror, f"{key}.mirror", found)


def _check_mirror(mirror: Mirror, key: str, found: FaultList) -> None:
    if (mirror.certfile is None) != (mirror.keyfile is None):
        found.add(f"{key}.certfile", "certfile and keyfile belong together; one is missing")
    found.add_missing_files(mirror, key, "certfile", "keyfile")
    local = mirror.host in ("127.0.0.1", "::1", "localhost")
    if mirror.port and not local and mirror.certfile is None and mirror.tls is not False:
        found.add(f"{key}.certfile", "missing; beyond this machine give one, or write tls = false")


def fixed_names(models: Sequence[ModelConfig]) -> set[str]:
    """Names of the models that the configuration itself runs."""
    found = set()
    for model in models:
        try:
            found.add(cards.read_card(model.folder).name)
        except ModelError:
            continue  # said by ``check_models``
    return found


def relative_thresholds(config: ModelRepositoryConfig) -> Mapping[str, float]:
    """For the rules: a model of the repository is judged by its score over its own threshold."""
    return dict.fromkeys((use.name for use in config.models), 1.0) if config.enabled else {}


def judged_relatively(
    rules: Sequence[RuleConfig], config: ModelRepositoryConfig
) -> tuple[RuleConfig, ...]:
    """Score rules on the repository's models look at scores over their threshold.

    The threshold belongs to the version, and the version changes while the rule stays.
    """
    names = {use.name for use in config.models} if config.enabled else set()
    return tuple(
        replace(rule, kind="threshold", series=relative_name(rule.model), value=rule.value or 1.0)
        if rule.kind == "score" and rule.model in names
        else rule
        for rule in rules
    )
