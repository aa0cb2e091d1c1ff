"""The gRPC transport: a synchronous server with a thread a call.

Not ``grpc.aio``: two of its event loops in one process disturb each other, and the client under test has one.
"""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # the stubs leave it out

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.testing.calls import Call, Panic, Refusal
from airflow_provider_flyte.testing.dispatch import Dispatcher, Row

THREADS = 1024
"""A stream holds a thread for as long as it is open; threads are made when they are needed."""

STREAMS_A_CONNECTION = 250
"""As on the real backend: with more streams than this on one channel, every other call on it waits for ever."""

_OPTIONS = (
    # Two servers can bind one port silently by default.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_concurrent_streams", STREAMS_A_CONNECTION),
    # Otherwise streams that have just ended count too, and a client that keeps to the limit is refused.
    ("grpc.http.overload_protection", 0),
)


_CAN_RESET = tuple(int(part) for part in grpc.__version__.split(".")[:2]) >= (1, 81)


class GrpcServer:
    """A listening port that speaks gRPC to a dispatcher. Opened once; a new one is made to open again."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        tls: tuple[bytes, bytes] | None,
        client_roots: bytes | None = None,
        cluster: int | None = None,
        rows: Collection[Row] = rpc.METHODS,
    ) -> None:
        self._dispatcher = dispatcher
        self._cluster = cluster
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="local-flyte-call")
        self._server = grpc.server(self._threads, options=_OPTIONS)
        self._credentials = None
        if tls is not None:
            self._credentials = grpc.ssl_server_credentials(
                [(tls[1], tls[0])], client_roots, require_client_auth=client_roots is not None
            )
        services: defaultdict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = defaultdict(dict)
        for row in rows:
            service, method = row.path[1:].split("/")
            services[service][method] = self._handler(row)
        self._server.add_generic_rpc_handlers(
            tuple(grpc.method_handlers_generic_handler(name, rows) for name, rows in services.items())
        )

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port. ``OSError`` if it is taken."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            # Checked first, because gRPC prints lines of its own about a port that is taken.
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            raise self._not_bound(address, error) from error
        try:
            if self._credentials is not None:
                bound = self._server.add_secure_port(address, self._credentials)
            else:
                bound = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise self._not_bound(address, error) from error
        self._server.start()
        return bound

    def _not_bound(self, address: str, error: Exception) -> OSError:
        self._server.stop(None)
        self._threads.shutdown()
        why = error.strerror if isinstance(error, OSError) else error
        return OSError(f"cannot listen on {address}: {why}")

    def close(self) -> None:
        """Close all connections at once, as a server that dies does; its threads have ended afterwards."""
        self._server.stop(None).wait()
        self._threads.shutdown(wait=True)

    def _handler(self, row: Row) -> grpc.RpcMethodHandler[Any, Any]:
        if isinstance(row, rpc.ServerStream):
            return grpc.unary_stream_rpc_method_handler(self._stream(row), row.request.FromString, _serialize)
        return grpc.unary_unary_rpc_method_handler(self._unary(row), row.request.FromString, _serialize)

    def _unary(self, row: Row) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            call = self._enter(context)
            try:
                return self._dispatcher.unary(row, request, call)
            except Refusal as refusal:
                return context.abort(grpc.StatusCode[refusal.code], refusal.details)
            except Panic:
                _reset(context)
                return row.response()

        return answer

    def _stream(self, row: Row) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
        def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            call = self._enter(context)
            try:
                yield from self._dispatcher.stream(row, request, call)
            except Refusal as refusal:
                context.abort(grpc.StatusCode[refusal.code], refusal.details)
            except Panic:
                _reset(context)

        return answer

    def _enter(self, context: grpc.ServicerContext) -> Call:
        call = Call(
            {str(key): _text(value) for key, value in context.invocation_metadata()},
            transport="grpc",
            # Not public, and the only way.
            authority=_text(context._rpc_event.call_details.host),  # type: ignore[attr-defined]
            cluster=self._cluster,
        )
        if not context.add_callback(call.close):
            call.close()
        return call


def _reset(context: grpc.ServicerContext) -> None:
    """Reset the stream with HTTP/2's INTERNAL_ERROR, as Go's server does when a handler panics.

    Only grpc's core can, and only for the status UNKNOWN: for any other it sends trailers. An older one always does, so
    there they are what a client makes of the reset.
    """
    code = cygrpc.StatusCode.unknown if _CAN_RESET else cygrpc.StatusCode.internal
    core_call = context._rpc_event.call  # type: ignore[attr-defined]  # not public, and the only way
    core_call.cancel(code, "Received RST_STREAM with error code 2")


def _serialize(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
