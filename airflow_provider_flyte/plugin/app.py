"""The application under ``/flyte``: the tab's page with its files, and what the page asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response, status

from airflow_provider_flyte.client.outside import LONGEST, one_line
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.plugin.abort import FromThePage, Wanted, abort_run, launched_by
from airflow_provider_flyte.plugin.access import (
    Editor,
    LogReader,
    MayEdit,
    MayReadLogs,
    MayReadXCom,
    ReadableTask,
    UserName,
    XComReader,
)
from airflow_provider_flyte.plugin.airflow_server import redact
from airflow_provider_flyte.plugin.live_runs import DETAILS, LiveRuns
from airflow_provider_flyte.plugin.questions import FAILED_ACTIONS, LINES, VALUES, log_of
from airflow_provider_flyte.plugin.stored_task import Stored, StoredTask
from airflow_provider_flyte.plugin.view import run_view, values_text
from airflow_provider_flyte.report.task_runs import MOST_RUNS, TaskRuns
from airflow_provider_flyte.settings import shows_values

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer. The page runs nothing but its own file, whatever text it shows, and asks nobody but Airflow."""

_FILES = {"tab": "text/html", "tab.css": "text/css", "tab.js": "text/javascript"}
"""What stands in the folder ``static``, the same for everybody; the page itself without its ending."""

router = APIRouter()


Index = Annotated[int, Query(ge=0, lt=MOST_RUNS)]


@router.get("/api/run")
async def show(
    request: Request,
    asked: ReadableTask,
    logs: MayReadLogs,
    xcom: MayReadXCom,
    edit: MayEdit,
    stored: Stored,
    run: Index = 0,
) -> dict[str, Any]:
    """A task instance's runs, and one of them as Flyte has it now.

    :param run: which of the stored ones; no request can name another.
    """
    runs = stored.runs
    shown: dict[str, Any] = {"over": stored.over, "trouble": stored.trouble, "runs": [], "run": None}
    if runs is None:
        return shown
    runs, key = _chosen(stored, run)
    look = await _live(request.app).look(runs.flyte_conn_id, key, DETAILS)
    details = look.answer
    return shown | {
        "runs": [each.name for each in runs.runs],
        "total": runs.total,
        "try_number": runs.try_number,
        "name": key.name,
        "project": key.project,
        "domain": key.domain,
        "url": look.url,
        "trouble": one_line(look.trouble, LONGEST),
        "run": run_view(details, logs=logs) if details else None,
        "logs": logs,
        "values": xcom and shows_values(),
        "abortable": details is not None and edit and not details.done() and launched_by(asked, details),
    }


@router.get("/api/log", dependencies=[LogReader])
async def show_log(request: Request, stored: Stored, run: Index = 0) -> dict[str, Any]:
    """The end of the log of a run's last attempt."""
    runs, key = _chosen(stored, run)
    live = _live(request.app)
    details = (await live.look(runs.flyte_conn_id, key, DETAILS)).answer
    attempts = details.pb2.action.attempts if details else ()
    attempt = max(1, attempts[-1].attempt) if attempts else 1
    look = await live.look(runs.flyte_conn_id, key, log_of(attempt))
    lines, trouble = (look.answer.lines, look.answer.trouble) if look.answer else ((), look.trouble)
    return {"attempt": attempt, "lines": list(lines), "most": LINES, "trouble": one_line(trouble)}


@router.get("/api/failed", dependencies=[LogReader])
async def show_failed(request: Request, stored: Stored, run: Index = 0) -> dict[str, Any]:
    """The child actions of a run that failed first."""
    runs, key = _chosen(stored, run)
    look = await _live(request.app).look(runs.flyte_conn_id, key, FAILED_ACTIONS)
    if look.answer is None:
        return {"actions": [], "more": 0, "trouble": one_line(look.trouble)}
    actions = [{"name": each.name, "task": each.task, "why": each.why} for each in look.answer.first]
    return {"actions": actions, "more": look.answer.more, "trouble": one_line(look.answer.trouble)}


@router.get("/api/values", dependencies=[XComReader])
async def show_values(request: Request, stored: Stored, run: Index = 0) -> dict[str, Any]:
    """The inputs and outputs of a run, as texts."""
    runs, key = _chosen(stored, run)
    look = await _live(request.app).look(runs.flyte_conn_id, key, VALUES)
    inputs, outputs = look.answer or ({}, {})
    # In a thread: a value may be large, and Airflow's masker looks at all of it.
    texts = [await asyncio.to_thread(values_text, values, redact) for values in (inputs, outputs)]
    return {"inputs": texts[0], "outputs": texts[1], "trouble": one_line(look.trouble)}


@router.post("/api/abort", dependencies=[Editor, FromThePage])
async def abort(
    request: Request, asked: ReadableTask, user: UserName, stored: Stored, wanted: Wanted, run: Index = 0
) -> dict[str, Any]:
    """Abort a run that the task instance has launched."""
    runs, key = _chosen(stored, run)
    if key.name != wanted.name:
        raise HTTPException(
            status.HTTP_409_CONFLICT, f"The task instance has run {key.name} by now. Nothing is aborted."
        )
    done = await _live(request.app).do(
        runs.flyte_conn_id, key, lambda client, key: abort_run(client, key, asked, user, wanted.reason)
    )
    return {"said": one_line(done.trouble if done.answer is None else f"{done.answer}.")}


def _chosen(stored: StoredTask, run: int) -> tuple[TaskRuns, RunKey]:
    if stored.runs is None or run >= len(stored.runs.runs):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The task instance has not so many runs.")
    return stored.runs, stored.runs.runs[run]


def _live(app: FastAPI) -> LiveRuns:
    # Made on the loop that serves: a test may have several.
    live: WeakKeyDictionary[asyncio.AbstractEventLoop, LiveRuns] = app.state.live
    return live.setdefault(asyncio.get_running_loop(), LiveRuns())


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await _live(app).aclose()


def make_app() -> FastAPI:
    """The application, with the headers on all of its answers and without pages that describe it."""
    app = FastAPI(title="Flyte", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.live = WeakKeyDictionary()
    app.include_router(router)
    for name, media_type in _FILES.items():
        app.add_api_route(f"/{name}", _file(name, media_type), methods=["GET"], include_in_schema=False)

    @app.middleware("http")
    async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        response.headers.update(HEADERS)
        return response

    return app


def _file(name: str, media_type: str) -> Callable[[], Response]:
    path = Path(__file__).parent / "static" / (name if "." in name else f"{name}.html")
    content = path.read_bytes()

    def send() -> Response:
        return Response(content, media_type=media_type)

    return send
