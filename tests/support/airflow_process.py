"""One real Airflow 3 with all its processes, in a home and on ports of its own.

    with StandaloneAirflow({"mine": Path("dags")}, connections={"flyte_default": "{...}"}) as airflow:
        run = airflow.api.trigger("flyte_wait")

Every process leads a session of its own, and whatever is left of a session is ended: a triggerer that is killed leaves
its log server behind, and a scheduler its workers.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, ClassVar

import psutil

from airflow_provider_flyte.testing import LocalFlyte
from tests.support import keeper
from tests.support.airflow_api import AirflowApi
from tests.support.ports import free_ports

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
USER = "admin"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOP_PATIENCE = 30.0
_ANNOUNCED = """
import os, sys
pipe = int(sys.argv[1])
os.write(pipe, b"+%d\\n" % os.getpid())
os.close(pipe)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Each process reports itself to the keeper before it begins, so that none is missed however its parent dies."""

_PATIENT_SQLITE = "patient_sqlite"
"""A module in the home's ``config``, which is on Airflow's path."""
_PATIENCE_OF_EACH = """
import sys
CONNECT_ARGS = {"timeout": 30 if "scheduler" in sys.argv else 5}
"""


class AirflowProcessError(Exception):
    """A process of Airflow failed; the text ends with what the processes said last."""


def flyte_connection(flyte: LocalFlyte, *, protocol: str = "grpc", transport: str = "auto", **more: Any) -> str:
    """The Airflow connection to a transport of a local Flyte, as JSON.

    :param more: further extra fields.
    """
    # A default is left out, as docs/connection.md asks: Airflow warns of "auto" in each task's log.
    extra = {"insecure": True, "project": "flytesnacks", "domain": "development"} | more
    if transport != "auto":
        extra["transport"] = transport
    return json.dumps({"conn_type": "flyte", "host": flyte.host, "port": flyte.ports[protocol], "extra": extra})


class StandaloneAirflow:
    """A whole Airflow: LocalExecutor, simple auth manager, and SQLite where the settings name no database.

    :param dag_folders: name of a DAG bundle -> its folder.
    :param connections: connection id -> the connection as JSON. They are put into the database: one in the environment
        is found in places where one in the database is not.
    :param settings: Airflow's, as ``{"CORE__TEST_CONNECTION": "Enabled"}``.
    :param more: further components by a name of their own, each with its command: ``{"scheduler-2": ("scheduler",)}``.
    :param say: told what is being done, a line at a time.
    """

    running: ClassVar[list[StandaloneAirflow]] = []
    """Those that are up, for a report on what they said last."""

    components: tuple[str, ...] = COMPONENTS

    def __init__(
        self,
        dag_folders: Mapping[str, Path],
        *,
        connections: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
        more: Mapping[str, Sequence[str]] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.password = secrets.token_urlsafe(9)
        self._connections = dict(connections)
        self._say = say
        self._more = dict(more or {})
        self.components = (*self.components, *self._more)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keeper: subprocess.Popen[bytes] | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self.home = Path()
        """Its folder, once it has started."""
        ports = free_ports(3)
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.api = AirflowApi(self.url, USER, self.password)
        self.settings = _settings(self.url, ports, dag_folders) | dict(settings or {})
        if "DATABASE__SQL_ALCHEMY_CONN" not in self.settings:
            # A scheduler ends when it had to wait for another writer for five seconds. Calls of the API server that
            # wait for each other end by that alone: with a minute for both it stood still for one (3.3.2).
            for name in ("SQL_ALCHEMY_CONNECT_ARGS", "SQL_ALCHEMY_CONNECT_ARGS_ASYNC"):
                self.settings[f"DATABASE__{name}"] = f"{_PATIENT_SQLITE}.CONNECT_ARGS"

    def __enter__(self) -> StandaloneAirflow:
        # SIGTERM and SIGHUP end with the processes gone too, as SIGINT does.
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, _interrupt)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in self.running:
            self.running.remove(self)
        try:
            self.stop()
        finally:
            while self._previous:
                signal.signal(*self._previous.popitem())

    # -- start and stop

    def start(self, timeout: float = 240.0) -> None:
        """Make the database, start everything, and wait until all of it is healthy.

        :param timeout: in seconds; with ``more`` components it is more.
        :raises AirflowProcessError: with the ends of the logs.
        """
        deadline = time.monotonic() + timeout + 40 * len(self._more)
        with _signals_held():
            self.home = Path(tempfile.mkdtemp(prefix="airflow-e2e-"))
            self._keeper = subprocess.Popen(
                [sys.executable, str(keeper.__file__), str(self.home)], stdin=subprocess.PIPE, start_new_session=True
            )
        (self.home / "simple_auth_manager_passwords.json.generated").write_text(json.dumps({USER: self.password}))
        (self.home / "config").mkdir()
        (self.home / "config" / f"{_PATIENT_SQLITE}.py").write_text(_PATIENCE_OF_EACH)
        self._say("making its database")
        self._run("db-migrate", "db", "migrate", until=deadline)
        for name in self.components:
            self.start_component(name)
        self._say(f"starting {', '.join(self.components)}")
        for conn_id, connection in self._connections.items():
            self._run(f"connection-{conn_id}", "connections", "add", conn_id, "--conn-json", connection, until=deadline)
            self._say(f"the connection {conn_id} is in its database")
        self.wait_until_healthy(deadline - time.monotonic())

    def wait_until_healthy(self, timeout: float = 120.0) -> None:
        """Ask the API server until it answers and says that all the others are healthy."""
        deadline = time.monotonic() + timeout
        while (health := self.api.health()).get("status") != "healthy":
            for name, code in self.ended().items():
                raise AirflowProcessError(f"Airflow's {name} ended with {code}.\n{self.tails()}")
            if time.monotonic() > deadline:
                raise AirflowProcessError(f"Airflow is not up in time; its health is {health}.\n{self.tails()}")
            time.sleep(0.25)

    def stop(self) -> None:
        """End every process of every session and remove the home; more than once does no harm."""
        with _signals_held():
            self.api.close()
            if self._keeper is None:
                return
            pipe, self._keeper.stdin = self._keeper.stdin, None
            if pipe is not None:
                pipe.close()
            self._keeper.wait(_STOP_PATIENCE)
            for process in self._processes.values():
                process.wait(_STOP_PATIENCE)

    # -- one component

    def start_component(self, name: str) -> None:
        """Start one of ``components``, also again after :meth:`kill`."""
        self._spawn(name, *self._more.get(name, (name,)))

    def ended(self) -> dict[str, int]:
        """The components that have ended by themselves, with their exit codes."""
        codes = {name: process.poll() for name, process in self._processes.items() if name in self.components}
        return {name: code for name, code in codes.items() if code is not None}

    def start_second_triggerer(self, name: str) -> None:
        """Start one more triggerer under a name of its own."""
        # The port for logs is the first one's.
        self._spawn(name, "triggerer", "--skip-serve-logs")

    def kill(self, name: str) -> None:
        """``kill -9`` a component with all that it has started, as a machine does that goes away."""
        process = self._processes.pop(name)
        keeper.end({process.pid}, [signal.SIGKILL])
        process.wait(_STOP_PATIENCE)
        self._forget(process)

    def kill_alone(self, name: str) -> None:
        """``kill -9`` a component, and leave what it has started running."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(_STOP_PATIENCE)

    @contextmanager
    def paused(self, names: Iterable[str]) -> Iterator[None]:
        """Stop the clock of components and of all that they have started, for so long."""
        members = keeper.members({self._processes[name].pid for name in names})
        for process in members:
            process.suspend()
        try:
            yield
        finally:
            for process in members:
                with keeper.already_gone():
                    process.resume()

    def component(self, name: str) -> psutil.Process:
        """A component's own process."""
        return psutil.Process(self._processes[name].pid)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs in this Airflow now."""
        return keeper.members({process.pid for process in self._processes.values()})

    def task_processes(self, task: Mapping[str, Any]) -> list[int]:
        """The processes of a task instance: the worker and the runner under it have the instance's id in their titles,
        and the database has the runner's pid on record.
        """
        found = []
        for process in self.processes():
            with keeper.already_gone():
                if process.pid == task["pid"] or task["id"] in " ".join(process.cmdline()):
                    found.append(process.pid)
        return found

    # -- what they said

    def log_of(self, name: str) -> str:
        """What a component has written so far."""
        return self._log_path(name).read_text(errors="replace")

    def tails(self, lines: int = 40) -> str:
        """The ends of all logs."""
        return "\n".join(
            f"--- the end of {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            for path in sorted(self.home.glob("*.log"))
        )

    def _log_path(self, name: str) -> Path:
        return self.home / f"{name}.log"

    # -- processes

    def _run(self, name: str, *arguments: str, until: float) -> None:
        process = self._spawn(name, *arguments)
        try:
            code = process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AirflowProcessError(f"airflow {arguments[0]} takes too long.\n{self.tails()}") from None
        if code:
            raise AirflowProcessError(f"airflow {arguments[0]} ended with {code}.\n{self.tails()}")
        self._forget(process)
        del self._processes[name]

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        pipe = self._pipe.fileno()
        with self._log_path(name).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-IS", "-c", _ANNOUNCED, str(pipe), sys.executable, "-m", "airflow", *arguments],
                cwd=self.home,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[pipe],
                start_new_session=True,
            )
        self._processes[name] = process
        return process

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        """Its number may become another process's."""
        self._pipe.write(b"-%d\n" % process.pid)
        self._pipe.flush()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        return self._keeper.stdin

    def environment(self) -> dict[str, str]:
        """What its processes have: the caller's, without another Airflow's settings and with no proxy between them."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        # Compiling Airflow anew in each process costs seconds.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        environment |= {f"AIRFLOW__{name}": value for name, value in self.settings.items()}
        return environment | {"AIRFLOW_HOME": str(self.home)}


def _settings(url: str, ports: list[int], dag_folders: Mapping[str, Path]) -> dict[str, str]:
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder)},
        }
        for name, folder in dag_folders.items()
    ]
    return {
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # The default asks the name service, which takes seconds on some machines.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "CORE__LOAD_EXAMPLES": "False",
        # More tasks at once are no quicker on two cores; with SQLite the execution API answers slower than they wait.
        "CORE__PARALLELISM": "4",
        # With twenty a loop takes seven seconds on two busy cores. What ended is heard of between two loops, and a task
        # that has deferred and resumed by then fails.
        "SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "4",
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "API__BASE_URL": url,
        "API__HOST": "127.0.0.1",
        "API__PORT": str(ports[0]),
        "API__SECRET_KEY": secrets.token_hex(32),
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports[1]),
        "LOGGING__WORKER_LOG_SERVER_PORT": str(ports[2]),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _signals_held() -> Iterator[None]:
    """Put signals off until the block is over.

    By handlers, not by a mask: a mask would be inherited by what is started.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, frame: held.append(number))
        for number in _SIGNALS
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
