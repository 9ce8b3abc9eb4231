"""Puts the parts of this package together for the gateway.

::

    <data_dir>/models/slots/<name>.json   what runs, what is tried, what was good (``store``)
    <data_dir>/models/repository/         verified metadata and versions (``headrace.models.client``)
    <data_dir>/models/requests/           what ``gateway models`` asks for
    <data_dir>/models/poll.json           how the last look at the repository went
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from gateway.live import Live
from gateway.models.config import ModelRepositoryConfig
from gateway.models.consumer import ModelsConsumer
from gateway.models.mirror import files_app, mirror_listener
from gateway.models.nudges import nudge_route
from gateway.models.report import gateway_device
from gateway.models.teller import Publish, Teller
from gateway.models.tokens import read_token
from headrace.clock import Clock
from headrace.errors import ModelError
from headrace.metrics import Metrics
from headrace.models import machine, reports
from headrace.models.client import ModelRepositoryClient
from headrace.models.fit import Fit, judge
from headrace.models.manifest import Manifest
from headrace.models.place import Place
from headrace.models.poller import Poller
from headrace.models.sources import FolderSource, HttpSource, Source, StoreSource
from headrace.models.store import SlotStore
from headrace.topics import Topics


class Models:
    """Models of the repository in one gateway.

    Raises:
        ModelError: the trusted root cannot be read.
    """

    def __init__(
        self, config: ModelRepositoryConfig, *, site: str, folder: Path, fixed: Collection[str],
        live: Live, metrics: Metrics, clock: Clock, topics: Topics, publish: Publish,
    ) -> None:  # fmt: skip
        self._config = config
        self._site = site
        self._topics = topics
        self._publish = publish
        self._store = SlotStore(folder / "slots", clock)
        for slot in self._store.all():
            # On disk before anything of it runs: what takes the gateway down is counted.
            self._store.change(slot.name, machine.started)
        repository = folder / "repository"
        client = ModelRepositoryClient(
            folder=repository,
            source=open_source(config),
            trusted_root=_read_root(config),
            clock=clock,
        )
        self.mirror = client.mirror
        self.consumer = ModelsConsumer(
            config, self._store, metrics, site=site, changed=self.report,
            folder_of=lambda name, version: repository / "models" / name / str(version),
        )  # fmt: skip
        teller = Teller(
            site, topics, publish, live=live, store=self._store, scored=self.consumer.scored
        )
        self.poller = Poller(
            Place(
                folder=folder,
                labels={**config.labels, "site": site},
                fixed=fixed,
                interval_s=config.poll_interval_s,
                inputs_wait_s=config.inputs_wait_s,
                mirrors=config.mirror.port is not None,
                repository=client,
                store=self._store,
                clock=clock,
                trial=config.trial,
                fit=lambda manifest: fit_of(manifest, config, live),
                offer=self.consumer.offer,
                changed=self.report,
                tick=lambda: teller.tell(self.poller.look.serial),
            )
        )
        self._routes = _nudges(config, self.poller)

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        """Look at the repository, and serve what was verified."""
        if self._config.mirror.port:
            server = mirror_listener(self.mirror, self._config.mirror, self._routes)
            await server.start()
            stack.push_async_callback(server.stop)
        self.poller.start()
        stack.callback(self.poller.stop)

    def serve(self, app: FastAPI) -> None:
        """Add the mirror and the state to the gateway's own HTTP side."""
        app.mount("/models", files_app(self.mirror))
        app.router.routes += self._routes

        @app.get("/api/v1/models")
        def models() -> list[dict[str, Any]]:
            return self.rows()

    def rows(self) -> list[dict[str, Any]]:
        """One row a model, for tables."""
        return [reports.row(slot) for slot in self._store.all()]

    def report(self) -> None:
        """Tell whoever listens on MQTT how things stand."""
        topic = self._topics.model_reported(gateway_device(self._site))
        payload = reports.reported(
            "gateway", site=self._site, serial=self.poller.look.serial, models=self.rows()
        )
        self._publish(topic, payload, retain=True)


def _nudges(config: ModelRepositoryConfig, poller: Poller) -> list[Route]:
    if config.nudge_token_file is None:
        return []
    return [nudge_route(read_token(config.nudge_token_file), poller.hint)]


def fit_of(manifest: Manifest, config: ModelRepositoryConfig, live: Live) -> Fit:
    """Whether a manifest suits what devices send to this gateway."""
    use = config.use(manifest.name)
    heard = [row["device"] for row in live.devices() if row["readings"]]
    series = {each: live.series_of(each) for each in heard if fnmatchcase(each, use.device)}
    return judge(manifest, series, prefix=use.prefix)


def open_source(config: ModelRepositoryConfig) -> Source:
    """Where the repository is. Connects to nothing yet."""
    if config.source.startswith("s3://"):
        # Imported here: boto3 takes 0.3 s that a gateway without S3 saves.
        from headrace.lake.config import Lake
        from headrace.lake.opening import open_store

        return StoreSource(open_store(Lake(uri=config.source, s3=config.s3)))
    if config.source.startswith(("http://", "https://")):
        return HttpSource(config.source)
    return FolderSource(Path(config.source.removeprefix("file://")))


def _read_root(config: ModelRepositoryConfig) -> bytes:
    if config.root is None:
        raise ModelError("model_repository.root is missing", hint="name the repository's root.json")
    try:
        return config.root.read_bytes()
    except OSError as error:
        raise ModelError(f"{config.root}: cannot be read: {error.strerror}") from error
