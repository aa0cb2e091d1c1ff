"""A real nginx in front of the local Flyte: one process, with a port for each way in which people set it up."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

_UNTIL_UP = 20.0
_UNTIL_LOGGED = 60.0

_WHOLE = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    log_format short "$http_x_test $server_protocol $status $request_uri";
    access_log {folder}/access.log short;
    default_type text/html;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
{servers}
}}
"""


@dataclass(frozen=True)
class Server:
    """One way in.

    :param listen: Parameters of nginx's ``listen``: ``"ssl http2"``, ``"ssl"``, ``"http2"`` or none.
    :param body: What else stands in its ``server`` block.
    """

    listen: str
    body: str

    @property
    def tls(self) -> bool:
        return "ssl" in self.listen


class Nginx:
    """Serve while the ``with`` block lasts: a master, which has the ports, and a worker, as people run it.

    With one process for both, a crash of nginx closes all ports for the tests that follow.

    :param servers: By a name of their own.
    :param certificate: Certificate and key as PEM, for those that speak TLS.
    """

    def __init__(self, folder: Path, servers: Mapping[str, Server], certificate: tuple[bytes, bytes]) -> None:
        self._folder = folder
        self.servers = servers
        (folder / "certificate.pem").write_bytes(certificate[0])
        (folder / "key.pem").write_bytes(certificate[1])
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Nginx:
        # nginx cannot say which port 0 became, and a port that is let go for it is somebody else's now and then when it
        # comes. So it gets open sockets, as from the nginx before it when it is upgraded on the fly.
        with ExitStack() as opened:
            held = {name: opened.enter_context(socket.create_server(("127.0.0.1", 0))) for name in self.servers}
            self.ports = {name: each.getsockname()[1] for name, each in held.items()}
            (self._folder / "nginx.conf").write_text(self._configuration())
            assert PROGRAM
            files = [each.fileno() for each in held.values()]
            self._process = subprocess.Popen(
                [PROGRAM, "-p", str(self._folder), "-c", str(self._folder / "nginx.conf"), "-e", "stderr"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=files,
                env=os.environ | {"NGINX": "".join(f"{file};" for file in files)},
            )
        self._wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)

    def endpoint(self, name: str) -> str:
        """``localhost:port`` of a server.

        :raises RuntimeError: nginx has ended; with what it logged.
        """
        if (code := self._process.poll()) is not None:
            log = (self._folder / "error.log").read_text(errors="replace")
            raise RuntimeError(f"nginx ended with {code}:\n{log[-4000:]}")
        return f"localhost:{self.ports[name]}"

    async def logged(self, mark: str, path: str = "") -> list[str]:
        """``HTTP/1.1 200 /path`` for each request with this mark in its header x-test; waits for the first.

        A line is written when its answer has been sent, or cut off.

        :param path: of which alone.
        """
        until = time.monotonic() + _UNTIL_LOGGED
        while True:
            lines = (self._folder / "access.log").read_text().splitlines()
            marked = [line.removeprefix(f"{mark} ") for line in lines if line.startswith(f"{mark} ")]
            found = [line for line in marked if line.endswith(path)]
            if found or time.monotonic() > until:
                return found
            await asyncio.sleep(0.01)

    def _configuration(self) -> str:
        blocks = "\n".join(
            f"    server {{ listen 127.0.0.1:{self.ports[name]} {server.listen}; {server.body} }}"
            for name, server in self.servers.items()
        )
        # Its worker serves from a folder of ours, which nobody else may enter; who is not root has no choice.
        user = "user root;" if os.geteuid() == 0 else ""
        return _WHOLE.format(user=user, folder=self._folder, servers=blocks)

    def _wait_until_up(self) -> None:
        # Its ports take connections before it is there; this is written when it has all it needs.
        until = time.monotonic() + _UNTIL_UP
        while not (self._folder / "nginx.pid").exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self._process.kill()
                raise RuntimeError(f"nginx does not come up:\n{self._process.communicate()[0]}")
            time.sleep(0.01)
