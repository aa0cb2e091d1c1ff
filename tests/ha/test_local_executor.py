"""LocalExecutor on PostgreSQL, with two schedulers and two triggerers: each dies in turn, and the database is away."""

from __future__ import annotations

import signal
from threading import Event

import pytest

from tests.ha.conftest import SECOND, Scenes
from tests.support.debian_servers import Postgres
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.timeout(900)

AWAY = 15.0
API = "api-server" if AIRFLOW >= (3,) else "webserver"
OTHERS = (API, "dag-processor") if AIRFLOW >= (3,) else (API,)


def test_undisturbed(local: Scenes) -> None:
    local.play("calm", lambda: None)


@pytest.mark.parametrize("name", ["scheduler", "triggerer"])
def test_one_of_two_dies(local: Scenes, name: str) -> None:
    """As the kernel ends it that is out of memory: what it has started lives on. It comes back when all is over."""
    local.play(f"kill-{name}", lambda: local.airflow.kill_alone(name), after=lambda: local.restart(name))


def test_a_machine_goes_away(local: Scenes) -> None:
    """The other scheduler and the other triggerer, with all that they have started."""

    def deed() -> None:
        for name in SECOND:
            local.airflow.kill(name)

    def after() -> None:
        for name in SECOND:
            local.restart(name)

    local.play("kill-machine", deed, after=after)


def test_the_others_die(local: Scenes) -> None:
    def deed() -> None:
        for name in OTHERS:
            local.airflow.kill(name)
        Event().wait(5)
        for name in OTHERS:
            local.restart(name)

    local.play("kill-others", deed)


def test_the_database_is_away(local: Scenes, database: Postgres) -> None:
    """It ends without a word to anybody, and comes back by its log."""

    def deed() -> None:
        database.stop(signal.SIGQUIT)
        Event().wait(AWAY)
        database.start()

    local.play("no-database", deed)
