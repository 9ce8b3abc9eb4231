"""What the four commands share: error output, exit statuses, --config and --verbose."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from headrace import logs
from headrace.errors import HeadraceError

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
    """``--verbose``: sets logging up before the command runs."""

    def set_up(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        logs.set_up(value)

    return click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=set_up, help="Log details."
    )(function)
