"""Fixtures for all tests, and the rule that no test is skipped without being listed."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

# Before anything imports Airflow.
from tests.support.own_airflow import AIRFLOW, connection_json, make_database
from tests.support.server_log import of_a_server

if TYPE_CHECKING:
    from airflow_provider_flyte.testing import LocalFlyte


# How long an example takes says something of the machine, not of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

collect_ignore = []
if AIRFLOW >= (3,):
    # Its pages are of Airflow 2.11; those of 3.3 need a browser: tests/e2e/test_connection_form.py.
    collect_ignore += ["airflow/test_connection_form_of_2.py", "airflow/test_event_trigger_of_2.py"]
else:
    # No trigger fires for assets there.
    collect_ignore.append("airflow/test_event_trigger_unconfirmed.py")
if AIRFLOW < (3, 1):
    # Task instances have no tabs before.
    collect_ignore += [
        "airflow/test_condition_operator.py",
        "airflow/test_flyte_tab.py",
        "airflow/test_flyte_tabs_of_dags.py",
        "airflow/test_live_runs.py",
    ]
if AIRFLOW < (3, 3):
    # What an older Airflow does with them: test_docs.py, by the snippet of docs/launch.md.
    collect_ignore.append("airflow/test_retry_policies.py")
    # Airflow renders templates in the triggerer from then on; test_arguments.py has what an older one says.
    collect_ignore.append("airflow/test_start_from_trigger.py")
    # Airflow confirms the events of triggers for assets from then on.
    collect_ignore.append("airflow/test_event_trigger.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names of tests that no second process has: xdist would run none of the tests.

    What is about the whole project starts processes, and takes longest: it comes first, so that none of it is left for
    one core when the others are done.
    """
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)
    if unstable := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"An address stands in the name of a test, give it an id: {', '.join(unstable)}")


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged on the side of a client: a server of another test may still be there, and be knocked at."""

    def of_a_client(record: logging.LogRecord) -> bool:
        return not of_a_server(record)

    caplog.handler.addFilter(of_a_client)
    yield caplog
    caplog.handler.removeFilter(of_a_client)


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """A shell lets what it starts in the background ignore SIGINT; Python goes by that, and so do its own processes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _forget_servers() -> None:
    """Forget what is known of servers, because those of two tests may listen on the same port."""
    from airflow_provider_flyte.client import routing
    from airflow_provider_flyte.client.auth import token_cache
    from airflow_provider_flyte.client.transport import route, selector

    routing.forget()
    selector.forget()
    token_cache.forget()
    route.forget()


@pytest.fixture(autouse=True)
def _forget_secrets() -> None:
    """Airflow masks a test's secrets in all that its process logs later; 2.11 does so with single letters, too."""
    for home in ("utils.log", "_shared.secrets_masker", "sdk._shared.secrets_masker", "sdk.execution_time"):
        if find := getattr(sys.modules.get(f"airflow.{home}.secrets_masker"), "_secrets_masker", None):
            masker = find()
            masker.patterns, masker.replacer = set(), None


@pytest.fixture(autouse=True)
def _log_arguments_survive_masking() -> Iterator[None]:
    """Fail on arguments of log lines that Airflow 2.11 changes when it masks them: tuples, sets and enums."""
    odd: list[str] = []
    make = logging.getLogRecordFactory()

    def note(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        if _OURS in record.pathname and isinstance(record.args, tuple):
            odd.extend(f"{record.msg!r}: {arg!r}" for arg in record.args if isinstance(arg, (tuple, set, Enum)))
        return record

    logging.setLogRecordFactory(note)
    yield
    logging.setLogRecordFactory(make)
    assert odd == []


_OURS = "/airflow_provider_flyte/"

TRANSPORTS = ("grpc", "connect")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test what is above the transports through both of them.

    What uses Airflow knows no transport, and its tests take longest. Their modules name one transport in the mark
    ``one_transport``, which they use with Airflow 3; with Airflow 2.11 they use the other one.
    """
    chosen = any("protocol" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if chosen or "protocol" not in metafunc.fixturenames:
        return
    protocols: tuple[str, ...] = TRANSPORTS
    if mark := metafunc.definition.get_closest_marker("one_transport"):
        is_3 = int(version("apache-airflow").split(".")[0]) > 2
        protocols = tuple(protocol for protocol in TRANSPORTS if (protocol == mark.args[0]) is is_3)
    metafunc.parametrize("protocol", protocols, indirect=True)


@pytest.fixture
def protocol(request: pytest.FixtureRequest) -> str:
    """The transport of the local Flyte."""
    return str(request.param)


@pytest.fixture
def local_flyte(protocol: str) -> Iterator[LocalFlyte]:
    """A local Flyte on a free port, behind one transport."""
    from airflow_provider_flyte.testing import LocalFlyte

    with LocalFlyte(transports=(protocol,)) as flyte:
        yield flyte


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A migrated metadata database, which ``dag.test()`` needs."""
    make_database()


@pytest.fixture
def flyte_default(local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> LocalFlyte:
    """The local Flyte, with the connection ``flyte_default`` to it in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte))
    return local_flyte


@pytest.fixture
async def no_watcher_left() -> AsyncIterator[None]:
    """Check that a test of triggers has released its watchers, and close them before the loop ends."""
    from airflow_provider_flyte.wait import shared_client, shared_watcher

    yield
    for shared in list(shared_watcher._of_loop(asyncio.get_running_loop()).values()):
        assert shared.users == 0
        shared.close()
    await asyncio.gather(*shared_client.background)
    gc.collect()


@pytest.fixture(scope="session")
def certificate() -> tuple[bytes, bytes]:
    """A certificate for localhost that nobody trusts, and its key, as PEM."""
    from tests.support.certificates import make_certificate

    return make_certificate("localhost")


def pytest_report_header() -> str:
    return f"grpcio {version('grpcio')}"


_SKIPS = {line.split("#")[0].strip() for line in (Path(__file__).parent / "allowed_skips.txt").read_text().splitlines()}
_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and report.nodeid.split("[")[0] not in _SKIPS:
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if a test was skipped that is not on the list: a skipped test proves nothing."""
    if _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid in _skipped:
        terminalreporter.write_line(f"SKIPPED, but not in tests/allowed_skips.txt: {nodeid}", red=True)
