"""HTTP/2 pings on a quiet connection, counted by something between client and server."""

from __future__ import annotations

import asyncio

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for

_TYPE, _FLAGS = 3, 4
_PING, _PING_LENGTH, _ACK = 6, 17, 1


class Between:
    """Passes bytes on and counts the client's pings."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.pings = 0
        self.enough = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, to_behind]
        await asyncio.gather(self._pass(reader, to_behind, writer), self._pass(behind, writer, None))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered_by: asyncio.StreamWriter | None
    ) -> None:
        while part := await reader.read(65536):
            # A ping is sent by itself while nothing else is.
            if answered_by and len(part) == _PING_LENGTH and part[_TYPE] == _PING and not part[_FLAGS] & _ACK:
                self.pings += 1
                if self.pings > 3:
                    self.enough.set()
                # Answered here: grpc's server hangs up on so many.
                answered_by.write(part[:_FLAGS] + bytes([_ACK]) + part[_FLAGS + 1 :])
            else:
                writer.write(part)
        writer.close()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


async def test_pings_go_on_while_a_stream_is_quiet() -> None:
    """By itself gRPC sends no more than two in a row."""
    request = RunService.WatchRuns.request()
    request.project_id.name, request.project_id.domain = "flytesnacks", "development"
    with LocalFlyte() as flyte:
        flyte.run("r1")
        between = Between(flyte.port)
        server = await asyncio.start_server(between, "127.0.0.1", 0)
        endpoint = f"localhost:{server.sockets[0].getsockname()[1]}"
        async with FlyteClient(config_for(flyte, endpoint=endpoint, keepalive=0.05)) as client:
            stream = client.async_transport().server_stream(RunService.WatchRuns, request, timeout=20)
            await anext(stream)
            quiet = asyncio.ensure_future(anext(stream))
            await asyncio.wait_for(between.enough.wait(), 15)
            quiet.cancel()
            await asyncio.gather(quiet, return_exceptions=True)
            await stream.aclose()
        between.close()
        server.close()
