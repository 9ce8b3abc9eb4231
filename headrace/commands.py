"""What the four commands share: error output, exit statuses, --config and --verbose."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from headrace import logs
from headrace.errors import HeadraceError

#: Of the four commands, and what is below them.
CONTEXT: Final = {"help_option_names": ["-h", "--help"]}

_LOG_FORMAT = "headrace.log_format"

F = TypeVar("F", bound=Callable[..., Any])


def reports_errors(function: F) -> F:
    """Turn a HeadraceError into its message on stderr and its exit status."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except HeadraceError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_status)

    return run  # type: ignore[return-value]


def verbose_option(function: F) -> F:
    """``--verbose`` and ``--log-format``: set logging up before the command runs."""

    def remember(context: click.Context, _parameter: click.Parameter, kind: str | None) -> None:
        context.meta[_LOG_FORMAT] = kind

    def set_up(context: click.Context, _parameter: click.Parameter, verbose: bool) -> None:
        kind: Any = context.meta.get(_LOG_FORMAT)
        logs.set_up(verbose, kind)

    verbose = click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=set_up, help="Log details."
    )
    log_format = click.option(
        "--log-format", type=click.Choice(["text", "json"]), envvar="HEADRACE_LOG_FORMAT",
        expose_value=False, is_eager=True, callback=remember,
        help="Of lines on stderr; by default as [log] in the configuration says, or text.",
    )  # fmt: skip
    return log_format(verbose(function))
