"""Each executor on PostgreSQL, with two schedulers and two triggerers: each dies in turn, and the database is away."""

from __future__ import annotations

import signal
from threading import Event

import pytest

from tests.ha.scenes import SECOND, WORKERS, Scenes
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.timeout(900)

AWAY = 15.0
API = "api-server" if AIRFLOW >= (3,) else "webserver"
OTHERS = (API, "dag-processor") if AIRFLOW >= (3,) else (API,)


def test_undisturbed(scenes: Scenes) -> None:
    scenes.play("calm", lambda: None)


@pytest.mark.parametrize("name", ["scheduler", "triggerer"])
def test_one_of_two_dies(scenes: Scenes, name: str) -> None:
    """As the kernel ends it that is out of memory: what it has started lives on. It comes back when all is over."""
    scenes.play(f"kill-{name}", lambda: scenes.airflow.kill_alone(name), after=lambda: scenes.restart([name]))


def test_a_machine_goes_away(scenes: Scenes) -> None:
    """The other scheduler, triggerer and worker, with all that they have started."""
    there = SECOND if scenes.redis is None else (*SECOND, WORKERS[1])
    scenes.play("kill-machine", lambda: scenes.kill(there), after=lambda: scenes.restart(there))


def test_the_others_die(scenes: Scenes) -> None:
    def deed() -> None:
        scenes.kill(OTHERS)
        Event().wait(5)
        scenes.restart(OTHERS)

    scenes.play("kill-others", deed)


def test_the_database_is_away(scenes: Scenes) -> None:
    """It ends without a word to anybody, and comes back by its log."""

    def deed() -> None:
        scenes.database.stop(signal.SIGQUIT)
        Event().wait(AWAY)
        scenes.database.start()

    scenes.play("no-database", deed)
