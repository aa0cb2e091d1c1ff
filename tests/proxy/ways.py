"""The ways in which people put nginx in front of Flyte, good and bad, each a server of its own."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy.nginx import Server

PAGE = Path(__file__).parents[2] / "docs" / "ingress.md"

CHART_SERVICES = (
    "workflow.RunService",
    "task.TaskService",
    "workflow.TranslatorService",
    "dataproxy.DataProxyService",
    "project.ProjectService",
    "auth.IdentityService",
    "auth.AuthMetadataService",
)
"""What Flyte's chart lets through its ingress."""

STATUSES = (301, 302, 400, 401, 403, 404, 405, 413, 415, 429, 464, 500, 502, 503, 504, 505)
"""What proxies say of their own, with a page of HTML."""

STATUSES_OF_A_PATH = (200, 401, 403, 404, 405)
"""What proxies say to a path that they do not pass on, while they pass others."""

TOKEN = "good"
"""What a proxy that checks tokens lets through."""

LISTENS = {"tls-h2": "ssl http2", "tls-h1": "ssl", "plaintext": ""}
IDLE = "3s"

_HTTP_1_0 = "proxy_http_version 1.0;"
"""nginx's default. To who speaks HTTP/1.1 with it, as we do, a buffering nginx holds back chunks as well."""

_GRPC_WITHOUT_TRAILERS = 'default_type application/grpc; if ($http_content_type ~ "^application/grpc") { return 200; }'
"""What is left of a real backend's answer to gRPC after a hop of HTTP/1.1. The local server's says 415."""


_OTHERS_ELSEWHERE = 'if ($http_content_type !~ "^application/grpc") { return 404; }'
"""As the rules of balancers often say."""


def servers(flyte: LocalFlyte) -> dict[str, Server]:
    """All of them, by name."""
    to_connect = f"proxy_pass http://127.0.0.1:{flyte.ports['connect']};"
    to_grpc = f"grpc_pass grpc://127.0.0.1:{flyte.ports['grpc']};"
    unbuffered = "proxy_buffering off;"

    def everywhere(*directives: str) -> str:
        return f"location / {{ {' '.join(directives)} }}"

    chart = " ".join(f"location /flyteidl2.{name}/ {{ {to_connect} }}" for name in CHART_SERVICES)
    ways = {
        "grpc": Server("ssl http2", everywhere(to_grpc)),
        "grpc-plaintext": Server("http2", everywhere(to_grpc)),
        "grpc-idle": Server("ssl http2", everywhere(to_grpc, f"grpc_read_timeout {IDLE};")),
        "http-behind-h2": Server("ssl http2", everywhere(to_connect, unbuffered)),
        "no-trailers": Server("ssl http2", everywhere(_GRPC_WITHOUT_TRAILERS, to_connect, unbuffered)),
        "http-behind-tls": Server("ssl", everywhere(to_connect, unbuffered)),
        "http": Server("", everywhere(to_connect, unbuffered)),
        "own-404": Server(
            "",
            everywhere(to_connect, unbuffered, "proxy_intercept_errors on; error_page 404 /own.html;")
            + f' location = /own.html {{ internal; return 404 "{_page(404)}"; }}',
        ),
        "buffered": Server("ssl http2", everywhere(to_connect, _HTTP_1_0)),
        "buffered-http": Server("", everywhere(to_connect, _HTTP_1_0)),
        "buffered-chunked": Server("ssl http2", everywhere(to_connect)),
        "idle": Server("ssl http2", everywhere(to_connect, unbuffered, f"proxy_read_timeout {IDLE};")),
        "idle-http": Server("", everywhere(to_connect, unbuffered, f"proxy_read_timeout {IDLE};")),
        "chart": Server("ssl http2", chart),
        "chart-http": Server("", chart),
    }
    for status in (401, 500):
        check = f'if ($http_authorization != "Bearer {TOKEN}") {{ return {status} "{_page(status)}"; }}'
        for name, listen, others, target in (
            ("grpc", "ssl http2", _OTHERS_ELSEWHERE, to_grpc),
            ("http-behind-h2", "ssl http2", "", to_connect),
            ("http-behind-tls", "ssl", "", to_connect),
        ):
            anonymous = f"location /flyteidl2.auth.AuthMetadataService/ {{ {others} {target} }}"
            ways[f"bearer-{status}-{name}"] = Server(listen, f"{anonymous} {everywhere(others, check, target)}")
    for number, block in enumerate(re.findall(r"^```nginx\nserver {\n(.*?)^}\n```", PAGE.read_text(), re.M | re.S), 1):
        [listen] = re.findall(r"listen 443 (.*);", block)
        own = re.sub(r"^ *(listen|server_name|ssl_certificate|ssl_certificate_key) .*\n", "", block, flags=re.M)
        port = flyte.ports["grpc" if "grpc_pass" in own else "connect"]
        ways[f"documented-{number}"] = Server(listen, own.replace("flyte-http:8090", f"127.0.0.1:{port}"))
    for status in STATUSES_OF_A_PATH:
        refused = f'location /flyteidl2.cluster. {{ return {status} "{_page(status)}"; }}'
        ways[f"no-clusters-{status}-http"] = Server("", f"{refused} {everywhere(to_connect, unbuffered)}")
        ways[f"no-clusters-{status}-grpc"] = Server("ssl http2", f"{refused} {everywhere(to_grpc)}")
    # As they are copied: the host of the connection, but the port that nginx has for itself.
    own_port = "proxy_set_header Host $host:9;"
    ways["own-port-http"] = Server("", everywhere(to_connect, unbuffered, own_port))
    ways["own-port-grpc"] = Server("ssl http2", everywhere(to_grpc, "grpc_set_header Host $host:9;"))
    for name, listen in LISTENS.items():
        for status in STATUSES:
            what = '"https://sso.example/login?next=secret"' if status in (301, 302) else f'"{_page(status)}"'
            ways[f"{status}-{name}"] = Server(listen, f"return {status} {what};")
        page = "<html><title>Sign in</title></html>"
        ways[f"login-{name}"] = Server(listen, f'return 200 "{page}";')
    return ways


def _page(status: int) -> str:
    return f"<html><head><title>{status} from the proxy</title></head></html>"
