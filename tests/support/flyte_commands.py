"""The commands ``airflow flyte ...`` in the test's own process, by the parser that this Airflow has for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.own_airflow import AIRFLOW

BY_AIRFLOW = AIRFLOW >= (3, 2)
"""Whether ``airflow`` itself has them."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


class Commands:
    """Executes commands.

    :param capsys: reads what they print.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        args = parsed(*words)
        self._capsys.readouterr()
        code = 0
        try:
            args.func(args)
        except SystemExit as error:
            code = int(error.code or 0)
        printed = self._capsys.readouterr()
        return Ended(code, printed.out, printed.err)


def parsed(*words: str) -> Any:
    """The arguments of a command."""
    if BY_AIRFLOW:
        from airflow.cli.cli_parser import get_parser

        return get_parser().parse_args(["flyte", *words])
    from airflow_provider_flyte.__main__ import parser

    return parser().parse_args(words)
