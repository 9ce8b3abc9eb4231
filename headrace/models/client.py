"""The runner's side of the model repository: nothing is used that its keys have not signed.

::

    <folder>/metadata/      python-tuf's: the newest verified metadata, every root since the first
    <folder>/floor.json     the earliest time that it can be
    <folder>/assignments.json   of the last refresh that went through to its end
    <folder>/models/<name>/<version>/   manifest.json, the graph, golden.json: verified, whole or absent
    <folder>/mirror/        the same repository once more, as it is served to others (agents)

``refresh`` follows The Update Framework: newer roots signed by older ones, a timestamp that is not
older than the last and not expired, and below it a chain of hashes down to ``assignments.json``.
Whatever fails on the way (a forged signature, an older version, a truncated or endless download) is
an error with its reason, and what was there before is still there: ``assignments`` and ``fetch`` go on
with the last good state, off line too, for as long as it takes.

Not to be shared between threads.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from headrace.clock import Clock, SystemClock
from headrace.errors import ModelError
from headrace.models import files, formats, repository
from headrace.models.manifest import (
    MANIFEST_NAME,
    File,
    Manifest,
    check_file,
    decode_golden,
    decode_manifest,
)
from headrace.models.mirror import Mirror
from headrace.models.repository import ASSIGNMENTS_NAME, Assignments
from headrace.models.sources import Source
from headrace.models.trust import Trust


class ModelRepositoryClient:
    """A local, verified copy of what a model repository says and of the models asked for.

    Raises:
        ModelError: ``trusted_root`` is not a root.
    """

    def __init__(
        self, *, folder: Path, source: Source, trusted_root: bytes, clock: Clock | None = None
    ) -> None:
        self._models = folder / "models"
        self._assignments = folder / ASSIGNMENTS_NAME
        self._trust = Trust(folder, source, trusted_root, clock or SystemClock())
        self._mirror = Mirror(folder / "mirror", self._trust)

    @property
    def mirror(self) -> Path:
        """A folder that may be served as it is; others verify it as if it were the repository."""
        return self._mirror.folder

    def refresh(self) -> Assignments:
        """Take the newest metadata; gives what it says is to run where.

        Raises:
            TransportError: the repository is away or too slow (LakeUnavailable from an object
                store); what was there is still there.
            ModelUntrusted: what it gave is forged, older, expired or damaged.
            ModelError: there is no repository.
        """
        self._trust.refresh()
        data = self._mirror.target(self._trust.info(ASSIGNMENTS_NAME))
        assignments = repository.decode_assignments(data, ASSIGNMENTS_NAME)
        self._trust.believe_clock()
        files.write(self._assignments, data)
        self._mirror.publish()
        return assignments

    def assignments(self) -> Assignments | None:
        """What the last refresh that succeeded said; None before the first."""
        data = files.read(self._assignments)
        return None if data is None else repository.decode_assignments(data, str(self._assignments))

    def fetch(self, name: str, version: int) -> Path:
        """The folder of one version with its three files, verified; downloads what is missing.

        Raises:
            TransportError: the repository is away or too slow.
            ModelUntrusted: a file is not the one that was signed.
            ModelError: no such version, a revoked one, or a manifest that lies.
        """
        repository.check_name(name)
        known = self.assignments()
        if known is not None and known.is_revoked(name, version):
            raise ModelError(f"model {name} {version} is revoked", hint="ask for another version")
        contents = self._version(name, version)
        folder = self._models / name / str(version)
        if any(files.read(folder / file) != data for file, data in contents.items()):
            files.write_folder(folder, contents)
        return folder

    def manifest(self, name: str, version: int) -> Manifest:
        """The manifest of a version that was fetched or can be.

        Raises:
            as ``fetch``.
        """
        folder = self.fetch(name, version)
        return decode_manifest((folder / MANIFEST_NAME).read_bytes(), str(folder / MANIFEST_NAME))

    def fetched(self) -> list[tuple[str, int]]:
        """(name, version) of all versions on this disk, in order."""
        found = self._models.glob("*/*/" + MANIFEST_NAME)
        names = ((file.parent.parent.name, file.parent.name) for file in found)
        return sorted((name, int(version)) for name, version in names if version.isdecimal())

    def prune(self, keep: Iterable[tuple[str, int]]) -> None:
        """Remove the versions that are not to be kept, from the mirror too."""
        kept = set(keep)
        for name, version in self.fetched():
            if (name, version) not in kept:
                shutil.rmtree(self._models / name / str(version), ignore_errors=True)
                self._mirror.remove(name, version)

    def _version(self, name: str, version: int) -> dict[str, bytes]:
        def get(file: str) -> bytes:
            return self._mirror.target(self._trust.info(repository.model_path(name, version, file)))

        source = f"model {name} {version}"
        data = get(MANIFEST_NAME)
        manifest = decode_manifest(data, source)
        if (manifest.name, manifest.version) != (name, version):
            raise ModelError(
                f"{source}: the manifest lies: it says {manifest.name} {manifest.version}",
                hint="publish the model again",
            )
        contents = {MANIFEST_NAME: data}
        for entry in (manifest.graph, manifest.golden):
            contents[entry.name] = _checked(entry, get(entry.name), source)
        formats.check_graph(contents[manifest.graph.name], source, expected=manifest.runtime)
        decode_golden(contents[manifest.golden.name], manifest, source)
        return contents


def _checked(entry: File, data: bytes, source: str) -> bytes:
    check_file(entry, data, source)
    return data
