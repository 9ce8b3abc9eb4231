"""The other end of ``remote``: ``python -m headrace.models.fetch`` answers one question and ends."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import msgspec

from headrace.errors import HeadraceError, ModelError
from headrace.models.client import ModelRepositoryClient
from headrace.models.parent import die_with_parent
from headrace.models.remote import KINDS, Question, Reply
from headrace.models.sources import HttpSource, Source, open_source


def answer(question: Question) -> Reply:
    """Do what is asked.

    Raises:
        HeadraceError: it cannot be done.
    """
    client = ModelRepositoryClient(
        folder=Path(question.folder), source=_source(question), trusted_root=_root(question)
    )
    match question.verb:
        case "refresh":
            return Reply(assignments=client.refresh())
        case "assignments":
            return Reply(assignments=client.assignments())
        case "fetch":
            return Reply(path=str(client.fetch(question.name, question.version)))
        case "prune":
            client.prune(question.keep)
            return Reply()
    raise ModelError(f"expected refresh, assignments, fetch or prune, got {question.verb!r}")


def _source(question: Question) -> Source:
    if not question.source.startswith("https://"):
        return open_source(question.source)
    try:
        context = ssl.create_default_context(cafile=question.ca or None)
        if question.cert:
            context.load_cert_chain(question.cert, question.key or None)
    except OSError as error:
        raise ModelError(f"models.ca, cert or key cannot be used: {error}") from error
    return HttpSource(question.source, tls=context)


def _root(question: Question) -> bytes:
    try:
        return Path(question.root).read_bytes()
    except OSError as error:
        raise ModelError(f"{question.root}: cannot be read: {error.strerror}") from error


def main() -> None:
    """Answer."""
    # A download that stalls would else hang on for minutes beside the agent's next one.
    die_with_parent()
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        reply = answer(question)
    except HeadraceError as error:
        kind = type(error).__name__
        kind = kind if kind in KINDS else ModelError.__name__
        reply = Reply(kind=kind, message=error.message, hint=error.hint)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main()
