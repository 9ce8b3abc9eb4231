"""The secret by which a publisher may nudge."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headrace.errors import ModelError

#: Characters of a token that nobody guesses.
MIN_TOKEN_CHARS: Final = 16


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        ModelError: there is none, or one that could be guessed.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    if len(token) < MIN_TOKEN_CHARS or not token.isascii():
        raise ModelError(
            f"{path}: expected a token of at least {MIN_TOKEN_CHARS} ASCII characters, got {len(token)}",
            hint="openssl rand -hex 16",
        )
    return token
