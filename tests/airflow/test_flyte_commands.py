"""``airflow flyte ...`` against a local Flyte, by the parser of each Airflow."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.cli.run_argument import run_of
from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.testing import LocalFlyte, status, unavailable
from tests.support.flyte_commands import BY_AIRFLOW, Commands
from tests.support.own_airflow import connection_json
from tests.support.secret_search import found

SECRETS = {"token": "correct-horse-battery", "value": "staple-of-the-environment"}


def from_yaml(text: str) -> Any:
    from airflow.utils import yaml

    return yaml.safe_load(text)


@pytest.fixture
def flyte(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


def page(local_flyte: LocalFlyte, name: str) -> str:
    return f"http://{local_flyte.endpoint}/v2/domain/development/project/flytesnacks/runs/{name}"


# -- check


def test_check_of_a_good_connection(flyte: Commands, flyte_default: LocalFlyte, protocol: str) -> None:
    done = flyte("check", "-o", "json")
    assert done.code == 0
    through = {"grpc": "gRPC", "connect": "Connect"}[protocol]
    assert [(step["step"], step["result"], step["message"]) for step in done.data] == [
        ("Settings", "passed", f"{flyte_default.endpoint}, plaintext"),
        ("Endpoint", "passed", f"Flyte 2 at {flyte_default.endpoint} through {through}"),
        ("Runs", "passed", "project flytesnacks, domain development, runs visible."),
    ]
    assert all(isinstance(step["seconds"], float) for step in done.data)
    assert "runs visible." in flyte("check", "flyte_default").out


def test_check_of_a_connection_that_cannot_work(
    flyte: Commands, local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection_json(local_flyte, project="other"))
    done = flyte("check", "other", "-o", "json")
    assert done.code == 1
    assert [(step["step"], step["result"]) for step in done.data] == [
        ("Settings", "passed"),
        ("Endpoint", "passed"),
        ("Project", "failed"),
    ]
    assert done.data[-1]["message"] == "Flyte has no project 'other'; visible are: flytesnacks."
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection_json(local_flyte, timeout="soon"))
    [step] = flyte("check", "other", "-o", "json").data
    assert (step["step"], step["result"]) == ("Settings", "failed")
    assert 'timeout is "soon"' in step["message"]


def test_check_of_a_connection_that_is_not_there(flyte: Commands, airflow_db: None) -> None:
    done = flyte("check", "nowhere", "-o", "json")
    assert done.code == 1
    assert "There is no Airflow connection 'nowhere'" in done.data[0]["message"]
    assert flyte("show", "r1", "--conn-id", "nowhere").code == 2


def test_check_opens_files_that_the_test_button_does_not(
    flyte: Commands, local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    token = tmp_path / "token"
    token.write_text(SECRETS["token"])
    connection = connection_json(local_flyte, authentication="token_file", credentials_file=str(token))
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection)
    done = flyte("check")
    assert done.code == 0
    sent = [call.metadata.get("authorization") for call in local_flyte.calls("ListRuns")]
    assert sent == [f"Bearer {SECRETS['token']}"]
    local_flyte.inject("*", status("UNAUTHENTICATED", f"no: {SECRETS['token']}"))
    done = flyte("check", "-o", "json")
    assert (done.code, done.data[-1]["step"]) == (1, "Credentials")
    assert found(SECRETS, [("the output", done.out)]) == []


@pytest.fixture
def in_the_database(airflow_db: None, local_flyte: LocalFlyte) -> Iterator[str]:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection.from_json(connection_json(local_flyte), conn_id="in_the_database"))
    yield "in_the_database"
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="in_the_database").delete()


def test_a_connection_in_the_database_is_found(flyte: Commands, in_the_database: str) -> None:
    before = os.environ.get("_AIRFLOW_PROCESS_CONTEXT")
    done = flyte("check", in_the_database)
    assert done.code == 0, done.out
    assert os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == before


# -- show


def test_show_of_a_run_that_failed(flyte: Commands, flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1", task="demo.train").fails(kind="USER", message="no rows\nin the table", attempts=2)
    shown = flyte("show", "r1", "-o", "json")
    assert shown.code == 0
    expected = {
        "run": "r1",
        "project": "flytesnacks",
        "domain": "development",
        "phase": "FAILED",
        "task": "demo.train",
        "launched_by": None,
        "attempts": 2,
        "error_kind": "USER",
        "error": "no rows\nin the table",
        "abort_reason": None,
        "url": page(flyte_default, "r1"),
    }
    assert {name: shown.data[name] for name in expected} == expected
    assert shown.data["timeline"][0].endswith("Z launched")
    table = flyte("show", "flytesnacks/development/r1").out
    assert "no rows" in table
    assert "| in the table" in table
    assert "phase" in flyte("show", page(flyte_default, "r1"), "-o", "plain").out
    assert "phase: FAILED" in flyte("show", page(flyte_default, "r1") + "?tab=logs", "-o", "yaml").out


def test_show_of_a_run_that_is_not_there(flyte: Commands, flyte_default: LocalFlyte) -> None:
    done = flyte("show", "r1", "-o", "json")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"Flyte has no run flytesnacks/development/r1 at {flyte_default.endpoint}. Check ")


@pytest.mark.parametrize(("fault", "code"), [(unavailable(), 4), (status("PERMISSION_DENIED", "not you"), 1)])
def test_an_error_of_flyte(
    flyte: Commands, local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, fault: Any, code: int
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte, retry_budget=0.1))
    local_flyte.run("r1").succeeds()
    local_flyte.inject("GetRunDetails", fault)
    done = flyte("show", "r1")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"RunService/GetRunDetails for run r1 at {local_flyte.endpoint} failed with ")


def test_texts_of_flyte_cannot_move_the_terminal(flyte: Commands, flyte_default: LocalFlyte) -> None:
    """Nor rich, which would make [red] a colour, and an error of what closes nothing."""
    hostile = "\x1b[2J\x1b]0;owned\x07[/red] [red]x\N{RIGHT-TO-LEFT OVERRIDE}\r\nforged | row :smile:"
    flyte_default.run("r1", task="demo.train").fails(kind="USER", message=hostile)
    for output in ("table", "plain", "yaml", "json"):
        printed = flyte("show", "r1", "-o", output)
        assert printed.code == 0
        assert all(character.isprintable() or character == "\n" for character in printed.out)
        assert "[/red] [red]x" in printed.out
        assert ":smile:" in printed.out
    assert (
        flyte("show", "a\x1b[2J/b").err == "RUN is 'a/b'. Give the run's name, project/domain/name, or its page's "
        "address.\n"
    )


def test_no_value_of_the_environment_is_shown(
    flyte: Commands, local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(connection_json(local_flyte, authentication="token")) | {"password": SECRETS["token"]}
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", json.dumps(connection))
    run = local_flyte.run("r1", task="demo.train", envs={"KEY": SECRETS["value"]})
    run.succeeds()
    for output in ("table", "json"):
        done = flyte("show", "r1", "-o", output, "--verbose")
        assert done.code == 0
        assert found(SECRETS, [("out", done.out), ("err", done.err)]) == []


def test_what_a_run_waits_for(flyte: Commands, flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    assert flyte("show", "r1", "-o", "json").data["waits_for"] == []
    hostile = "How many?\x1b[2J"
    asked = run.condition("rows", int, prompt=hostile, description="of them")
    command = f"{'airflow flyte' if BY_AIRFLOW else 'python -m airflow_provider_flyte'} signal "
    command += f"flytesnacks/development/r1 {asked.action} VALUE --conn-id flyte_default"
    shown = flyte("show", "r1", "-o", "json")
    [condition] = shown.data["waits_for"]
    assert condition == {
        "condition": "rows",
        "action": asked.action,
        "type": "int",
        "prompt": hostile,
        "description": "of them",
        "answer_by": command,
    }
    assert from_yaml(flyte("show", "r1", "-o", "yaml").out)["waits_for"] == [condition]
    for output in ("table", "plain"):
        # A table breaks lines.
        text = re.sub(r"[\s|]+", " ", flyte("show", "r1", "-o", output).out)
        assert "condition 'rows' asks for an int of 64 bits: How many? Give it" in text
        assert "`" + re.sub(r"[\s|]+", " ", command) + "`" in text
    said = "Flyte run flytesnacks/development/r1 waits for an answer: condition 'rows' asks for "
    for other in ("outputs", "logs"):
        assert flyte(other, "r1").err.startswith(said)
    done = flyte(*shlex.split(command.replace("VALUE", "3"))[-6:])
    assert (done.code, flyte("show", "r1", "-o", "json").data["waits_for"]) == (0, [])
    run.condition("more")
    run.succeeds()
    assert flyte("show", "r1", "-o", "json").data["waits_for"] == []


def test_a_flyte_that_does_not_tell_what_a_run_waits_for(flyte: Commands, flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING").condition("approve")
    flyte_default.inject("ListActions", status("PERMISSION_DENIED", "not you"))
    done = flyte("show", "r1", "-o", "json")
    assert (done.code, done.data["phase"], done.data["waits_for"]) == (0, "RUNNING", None)
    assert done.err.startswith("What the run waits for is not known: RunService/ListActions for run r1 ")


def test_a_condition_that_cannot_be_read_and_one_too_many(flyte: Commands, flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    for number in range(20):
        run.condition(f"c{number}")
    # The newest are listed first.
    bad = run.condition("bad")
    flyte_default.inject(
        "GetActionDetails", status("PERMISSION_DENIED", "no"), when=lambda request: request.action_id.name == bad.action
    )
    done = flyte("show", "r1", "-o", "json")
    assert (done.code, len(done.data["waits_for"])) == (0, 19)
    unknown, more = done.err.splitlines()
    assert more == f"1 more action of the run is paused, and not shown: {page(flyte_default, 'r1')}"
    assert unknown.startswith("What else the run waits for is not known: RunService/GetActionDetails for run r1 ")


# -- logs


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_logs_of_a_run_that_is_over(flyte: Commands, flyte_default: LocalFlyte, follow: tuple[str, ...]) -> None:
    hostile = "\x1b[31mloading\x1b[0m [/red] \x07"
    flyte_default.run("r1").move("RUNNING").logs(hostile, "done").succeeds()
    done = flyte("logs", "r1", *follow)
    assert done.code == 0
    shown = re.sub(r"^[-0-9]{10}T[:0-9]{8}\.\d{3}Z ", "", done.out, flags=re.M)
    assert shown == "loading [/red] \N{REPLACEMENT CHARACTER}\ndone\n"
    lines = [json.loads(line) for line in flyte("logs", "r1", "-o", "json", *follow).out.splitlines()]
    assert [line["line"] for line in lines] == [hostile, "done"]
    assert all(line["time"].endswith("Z") for line in lines)
    assert from_yaml(flyte("logs", "r1", "-o", "yaml", *follow).out) == lines


def test_the_last_lines_of_the_last_attempt(flyte: Commands, flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("first attempt", attempt=1)
    run.fails(attempts=2).logs(*map(str, range(1200)), attempt=2)
    lines = flyte("logs", "r1").out.splitlines()
    assert (len(lines), lines[0].split()[-1], lines[-1].split()[-1]) == (1000, "200", "1199")
    assert [line.split()[-1] for line in flyte("logs", "r1", "-n", "2").out.splitlines()] == ["1198", "1199"]
    # None is left out of one that is followed, as it would be in a task's log.
    followed = [line.split(None, 1)[-1] for line in flyte("logs", "r1", "--follow").out.splitlines()]
    assert followed == ["first attempt", *map(str, range(1200))]


def test_a_log_that_flyte_does_not_have(flyte: Commands, flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    for follow in ((), ("--follow",)):
        done = flyte("logs", "r1", *follow)
        assert (done.code, done.out) == (3, "")
        assert "of run flytesnacks/development/r1" in done.err
        assert flyte("logs", "r2", *follow).code == 3
    flyte_default.inject("TailLogs", status("PERMISSION_DENIED", "not you"))
    assert flyte("logs", "r1").code == 1
    done = flyte("logs", "r1", "--follow")
    assert (done.code, done.out) == (3, "")
    assert "not you" in done.err


# -- outputs


def test_outputs_are_whole(flyte: Commands, flyte_default: LocalFlyte) -> None:
    text = "x" * 5000 + "\x1b[31m[red]"
    values = {"o0": 3, "o1": text, "o2": [0.5, 2.0], "o3": {"a": True}, "o4": datetime(2026, 1, 2, tzinfo=timezone.utc)}
    flyte_default.run("r1").succeeds(values)
    done = flyte("outputs", "r1", "-o", "json")
    assert done.code == 0
    assert done.data == values | {"o4": "2026-01-02T00:00:00Z"}
    assert from_yaml(flyte("outputs", "r1", "-o", "yaml").out) == done.data
    table = flyte("outputs", "r1").out
    assert "[red]" in table
    assert "\x1b" not in table
    flyte_default.run("r2").succeeds({"o0": float("nan"), "o1": float("inf")})
    assert flyte("outputs", "r2", "-o", "json").data == {
        "o0": {"type": "float", "value": "NaN"},
        "o1": {"type": "float", "value": "Infinity"},
    }


def test_a_run_without_outputs(flyte: Commands, flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING")
    done = flyte("outputs", "r1")
    assert (done.code, done.err) == (3, "Flyte run flytesnacks/development/r1 has no outputs: it is RUNNING.\n")
    assert flyte("outputs", "r2").code == 3


# -- abort


def test_abort_asks_first(flyte: Commands, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.run("r1").move("RUNNING")
    for answer in ("", "n\n", "maybe\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        done = flyte("abort", "r1", "--reason", "wrong data")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("Abort Flyte run flytesnacks/development/r1 (RUNNING, task demo.train)? (y/N) ")
    assert flyte_default.calls("AbortRun") == []
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    done = flyte("abort", "r1", "--reason", "wrong data", "-o", "json")
    assert (done.code, done.data["outcome"], done.data["found"]) == (0, "aborted", "RUNNING")
    shown = flyte("show", "r1", "-o", "json").data
    assert (shown["phase"], shown["abort_reason"]) == ("ABORTED", "wrong data")


def test_abort_leaves_a_run_that_is_over_as_it_is(flyte: Commands, flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    done = flyte("abort", "r1", "--reason", "wrong data", "-o", "json")
    assert (done.code, done.data["outcome"], done.data["found"]) == (0, "over", "SUCCEEDED")
    assert flyte("abort", "r2", "--reason", "wrong data", "--yes").code == 3
    assert flyte("abort", "r1", "--reason", " ", "--yes").code == 2
    assert flyte_default.calls("AbortRun") == []
    flyte_default.run("r3").move("QUEUED")
    assert "was QUEUED and is now aborted." in flyte("abort", "r3", "-r", "wrong data", "-y").out


# -- signal


def test_signal_answers_in_the_type_that_is_asked_for(flyte: Commands, flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    answers = {
        "approve": (bool, "yes", True),
        "rows": (int, "-3", -3),
        "rate": (float, "2", 2.0),
        "why": (str, "3", "3"),
    }
    for name, (kind, typed, value) in answers.items():
        run.condition(name, kind, prompt=f"{name}? \x1b[2J[red]")
        done = flyte("signal", "-o", "json", "r1", name, typed)
        assert (done.code, done.data["value"]) == (0, value), done.err
        assert type(done.data["value"]) is kind
        assert done.data["prompt"] == f"{name}? \x1b[2J[red]"
    run.condition("again")
    done = flyte("signal", "r1", "again", "maybe")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("asks for a bool, not 'maybe'.\n")
    assert "\x1b" not in flyte("signal", "r1", "again", "no").out
    done = flyte("signal", "r1", "again", "yes")
    assert (done.code, "needs no answer any more: it was answered with False at 20" in done.err) == (2, True)
    assert "waiting for an answer are: none." in flyte("signal", "r1", "other", "yes").err
    late = flyte_default.run("late").move("RUNNING")
    late.condition("approve")
    late.fails()
    done = flyte("signal", "late", "approve", "yes")
    assert (done.code, "cannot be answered: the run is over (FAILED)" in done.err) == (2, True)
    assert flyte("signal", "r2", "approve", "yes").code == 3
    flyte_default.inject("SignalEvent", status("UNIMPLEMENTED", "ActionsService.Signal is not implemented"))
    run.condition("more")
    assert flyte("signal", "r1", "more", "yes").code == 1


# -- docs/command-line.md

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
COMMANDS = re.findall(r"^airflow flyte (.+)$", PAGE, re.M)


def test_the_commands_of_the_page_work(flyte: Commands, flyte_default: LocalFlyte) -> None:
    assert set(COMMANDS) > {"check", "show nightly-training"}
    run = flyte_default.run("nightly-training").move("RUNNING").logs("done")
    run.condition("approve")
    ended = None
    # Only what still runs can be answered, and only what has succeeded has outputs.
    for command in sorted(COMMANDS, key=lambda command: not command.startswith("signal")):
        if not command.startswith("signal") and not ended:
            ended = run.succeeds({"o0": 1})
        if command.startswith("runs "):
            # Needs a DAG run: test_flyte_runs_of_a_dag_run.py.
            continue
        done = flyte(*shlex.split(command.replace("flyte.example.com", flyte_default.endpoint)))
        assert (done.code, done.err) == (0, ""), command


def test_the_page_has_each_command_and_each_exit_code() -> None:
    from airflow_provider_flyte.cli import execution
    from airflow_provider_flyte.cli.definition import FLYTE_COMMANDS

    assert re.findall(r"^## `(\w+)`", PAGE, re.M) == [command.name for command in FLYTE_COMMANDS]
    codes = {value for name, value in vars(execution).items() if name.isupper() and isinstance(value, int)}
    assert set(map(int, re.findall(r"^\| (\d+) \|", PAGE, re.M))) == codes | {0}


# -- RUN

CONFIG = FlyteConfig(endpoint="flyte.example.com:443", project="p", domain="d", allowed_projects=("p", "q"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("r1", "p/d/r1"),
        ("q/e/r1", "q/e/r1"),
        ("https://flyte.example.com/v2/domain/e/project/q/runs/r1", "q/e/r1"),
        ("https://Flyte.example.com/v2/domain/e%20f/project/q/runs/r1/?i=a0#logs", "q/e f/r1"),
    ],
)
def test_a_run_is_named_in_three_ways(text: str, key: str) -> None:
    assert str(run_of(text, CONFIG)) == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Run", "No Flyte run can be named 'Run'"),
        ("a/r1", "RUN is 'a/r1'. Give the run's name"),
        ("q//r1", "No Flyte domain for run 'r1'"),
        ("x/d/r1", "project 'x' is not allowed here"),
        ("https://flyte.example.com/console/r1", "is not the address of a run's page"),
        ("https://other.example.com/v2/domain/e/project/q/runs/r1", "is a page of another Flyte"),
        ("https://flyte.example.com/two/v2/domain/e/project/q/runs/r1", "is a page of another Flyte"),
    ],
)
def test_what_names_no_run(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_of(text, CONFIG)
    assert words in str(caught.value)


# -- as processes


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    start = ["airflow", "flyte"] if BY_AIRFLOW else ["airflow_provider_flyte"]
    return subprocess.run(
        [sys.executable, "-m", *start, *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("protocol", ["grpc"])
def test_as_a_process(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    done = process("show", "r1", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["phase"]) == (0, "SUCCEEDED"), done.stderr


def test_other_commands_import_nothing_of_them() -> None:
    """What `airflow --help` loads of this provider beside what Airflow loads of any one."""
    code = (
        "import json, sys, airflow.cli.cli_config\nfrom airflow_provider_flyte.provider_info import get_provider_info\n"
        "get_provider_info()\nbefore = set(sys.modules)\n"
        "from airflow_provider_flyte.cli.definition import get_flyte_cli_commands\nget_flyte_cli_commands()\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = ["airflow_provider_flyte.cli", "airflow_provider_flyte.cli.definition"]
    assert json.loads(done.stdout.splitlines()[-1]) == names


@contextmanager
def follower(name: str, stdout: Any = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """A process that follows a run's log, and is ended in any case: by itself it would go on for ever."""
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_flyte", "logs", name, "--follow"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.usefixtures("ctrl_c_interrupts")
@pytest.mark.parametrize("protocol", ["connect"])
def test_ctrl_c_and_a_closed_pipe_end_a_log_quietly(flyte_default: LocalFlyte) -> None:
    for name in ("r1", "r2"):
        flyte_default.run(name).move("RUNNING").logs("one")
    with follower("r1") as interrupted, follower("r2") as cut:
        assert interrupted.stdout
        assert cut.stdout
        assert interrupted.stdout.readline().endswith(" one\n")
        interrupted.send_signal(signal.SIGINT)
        assert cut.stdout.readline().endswith(" one\n")
        cut.stdout.close()
        flyte_default.run("r2").logs("two").succeeds()
        errors = tuple(process.communicate(timeout=60)[1] for process in (interrupted, cut))
    assert (interrupted.returncode, cut.returncode) == (130, 141), errors
    assert errors == ("", "")
