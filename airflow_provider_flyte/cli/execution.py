"""How a command is executed: which exit code each end has, and what is printed of an error."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FAILED, USAGE, NOT_THERE, NOT_REACHED = 1, 2, 3, 4
"""Exit codes; argparse itself ends with 2."""

INTERRUPTED, BROKEN_PIPE = 130, 141
"""Exit codes as a shell gives them to what SIGINT and SIGPIPE end."""


class NotThere(Exception):
    """What was asked for does not exist; the text says what, and what to check."""


class CannotSay(Exception):
    """This process cannot find out what was asked for; the text says why, and where it can be."""


def executed(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], None]:
    """Make a function that returns an exit code a command of Airflow's command line."""

    @functools.wraps(command)
    def execute(args: argparse.Namespace) -> None:
        from airflow.utils.cli import suppress_logs_and_warning

        code = 0

        def run(args: argparse.Namespace) -> None:
            nonlocal code
            code = _exit_code(command, args)

        with _stored_connections():
            # Log lines would stand in the output; --verbose shows them.
            suppress_logs_and_warning(run)(args)
        if code:
            sys.exit(code)

    return execute


def _exit_code(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    from airflow_provider_flyte.client.errors import ConfigError, NotFoundError, RpcError
    from airflow_provider_flyte.exceptions import FlyteConfigurationError

    try:
        try:
            code = command(args)
            sys.stdout.flush()
        except NotThere as error:
            return _say(error, NOT_THERE)
        except CannotSay as error:
            return _say(error, FAILED)
        except (ConfigError, FlyteConfigurationError) as error:
            return _say(error, USAGE)
        except RpcError as error:
            # NOT_FOUND is what Flyte answers while its database is down; what is not there raises NotThere.
            return _say(error, NOT_REACHED if error.transient or isinstance(error, NotFoundError) else FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python would flush what is left once more at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _say(error: Exception, code: int) -> int:
    """Print an error, which is cleaned where it is made, and return the exit code."""
    sys.stderr.write(f"{error}\n")
    return code


@contextmanager
def _stored_connections() -> Iterator[None]:
    """Have connections read from the database too, as ``airflow connections get`` does on Airflow 3.

    Without it a process that is neither a task nor a server asks the environment and the secrets backends alone.
    """
    name = "_AIRFLOW_PROCESS_CONTEXT"
    before = os.environ.get(name)
    os.environ[name] = "server"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
