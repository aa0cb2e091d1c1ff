"""What the task's log says."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from airflow_provider_flyte.wait.run_wait import RunWait

pytestmark = pytest.mark.one_transport("connect")

log = logging.getLogger("task")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "task"]


@pytest.fixture
def wait(local_flyte: LocalFlyte, caplog: pytest.LogCaptureFixture) -> Iterator[RunWait]:
    caplog.set_level(logging.INFO)
    config = FlyteConfig(endpoint=local_flyte.endpoint, insecure=True, project="flytesnacks", domain="development")
    with FlyteClient(config) as client:
        yield RunWait(client, config.key("r1"), rules=WaitRules(missing_after=None), began=0.0, log=log)


def test_transitions_are_logged_once(wait: RunWait, local_flyte: LocalFlyte, caplog: pytest.LogCaptureFixture) -> None:
    run = None
    for phase in (None, None, "QUEUED", "QUEUED", "RUNNING", "RUNNING"):
        if phase:
            run = local_flyte.run("r1")
            run.move(phase)
        assert wait.observe().outcome is Outcome.WAITING
    assert run is not None
    run.succeeds()
    assert wait.observe().outcome is Outcome.SUCCEEDED
    described = lines(caplog)
    assert described[:4] == [
        f"Flyte run flytesnacks/development/r1: not created yet. {wait.url}",
        "Flyte run r1: not created yet -> QUEUED.",
        "Flyte run r1: QUEUED -> RUNNING.",
        "Flyte run r1: RUNNING -> SUCCEEDED.",
    ]
    assert re.fullmatch(r"Flyte: \S+Z launched", described[4])
    assert re.fullmatch(r"Flyte: \S+Z attempt 1: RUNNING for \S+ s", described[-3])
    assert re.fullmatch(r"Flyte: \S+Z SUCCEEDED after \S+ s", described[-1])
    assert len(described) == 4 + len(wait.details.timeline() if wait.details else ())


def test_a_failure_shows_attempts_error_and_the_console(
    wait: RunWait, local_flyte: LocalFlyte, caplog: pytest.LogCaptureFixture
) -> None:
    local_flyte.run("r1").fails(kind="USER", message="no rows", attempts=2)
    verdict = wait.observe()
    described = "\n".join(lines(caplog))
    assert "attempt 1: FAILED: no rows" in described
    assert "attempt 2: FAILED: no rows" in described
    assert wait.url in described
    assert str(wait.error(verdict)).startswith(
        "Flyte run flytesnacks/development/r1 is FAILED (USER error) after 2 attempts: no rows\n"
        f"The run is over, so the task is not retried. Look at {wait.url}; "
    )


def test_trouble_is_logged_while_waiting(
    wait: RunWait, local_flyte: LocalFlyte, caplog: pytest.LogCaptureFixture
) -> None:
    local_flyte.run("r1").move("RUNNING")
    # Where Flyte was never reached, a look at what is there comes between.
    assert wait.observe(0).outcome is Outcome.WAITING
    local_flyte.inject("*", unavailable("try later", times=3))
    for _ in range(5):
        assert wait.observe(0).outcome is Outcome.WAITING
    described = lines(caplog)
    assert described[0].startswith("Flyte run flytesnacks/development/r1: RUNNING")
    assert described[1].startswith("No answer from Flyte about run r1, still waiting: ")
    assert "try later" in described[1]
    assert described[2] == "Flyte answers again."
    assert len(described) == 3
