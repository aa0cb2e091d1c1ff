"""A server that is not Flyte, and answers every call with bytes that are no message."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc

from tests.support.replay_server import Answer, ReplayServer

_NO_MESSAGE = b"\x00\xff\xff\xff"


class Stranger(NamedTuple):
    """The address at which it listens, with the attributes of a local Flyte."""

    port: int
    ports: list[str]
    host: str = "localhost"

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"


class _AnyMethod(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # Generic in its stubs alone.
    def service(self, call: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: _NO_MESSAGE)


@contextmanager
def stranger(protocol: str) -> Iterator[Stranger]:
    """A stranger that speaks the protocol of this transport."""
    if protocol == "connect":
        with ReplayServer(Answer(200, {"content-type": "application/proto"}, [_NO_MESSAGE])) as replay:
            yield Stranger(int(replay.endpoint.rpartition(":")[2]), [protocol])
        return
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, handlers=[_AnyMethod()], options=[("grpc.so_reuseport", 0)])
        # Not localhost, which has two addresses: at the other one another test's server may have the same port.
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield Stranger(port, [protocol], host="127.0.0.1")
        server.stop(None).wait()
