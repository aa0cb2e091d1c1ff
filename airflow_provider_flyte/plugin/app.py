"""The application under ``/flyte``: pages with their files, and what the pages ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

from fastapi import FastAPI, Request, Response

from airflow_provider_flyte.plugin import condition_pages, dag_pages, run_pages
from airflow_provider_flyte.plugin.chosen_run import live_runs

ROUTERS = (run_pages.router, condition_pages.router, dag_pages.router)
"""What the pages ask for, a file for each page."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer. A page runs nothing but its own files, whatever text it shows, and asks nobody but Airflow."""

STATIC = Path(__file__).parent / "static"
"""Files that are the same for everybody. A page is served without its ending."""

_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await live_runs(app).aclose()


def make_app() -> FastAPI:
    """The application, with the headers on all of its answers and without pages that describe it."""
    app = FastAPI(title="Flyte", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.live = WeakKeyDictionary()
    for router in ROUTERS:
        app.include_router(router)
    for file in sorted(STATIC.iterdir()):
        if media_type := _MEDIA_TYPES.get(file.suffix):
            path = f"/{file.name.removesuffix('.html')}"
            app.add_api_route(path, _sender(file.read_bytes(), media_type), methods=["GET"])

    @app.middleware("http")
    async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        response.headers.update(HEADERS)
        return response

    return app


def _sender(content: bytes, media_type: str) -> Callable[[], Response]:
    def send() -> Response:
        return Response(content, media_type=media_type)

    return send
