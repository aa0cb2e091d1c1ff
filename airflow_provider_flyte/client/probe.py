"""Looks at what really listens at an address, because grpc's words for it change with its version.

``UNAVAILABLE`` stands for a server that is down as well as for TLS against a plaintext port. Only the second is a
mistake that waiting cannot mend.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from enum import Enum


class Security(Enum):
    """What a port speaks."""

    TLS = "tls"
    PLAINTEXT = "plaintext"


def security(endpoint: str, timeout: float) -> Security | None:
    """Whether the port speaks TLS, or None when nothing there can be reached or told.

    :param endpoint: ``host:port``.
    :param timeout: most seconds to spend, for connecting and for the handshake each.
    """
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    # Only the handshake is looked at; nothing is sent that would need a verified peer.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with socket.create_connection((host, int(port)), timeout=timeout) as raw:
            try:
                with context.wrap_socket(raw, server_hostname=host):
                    return Security.TLS
            except ssl.SSLError as error:
                # A TLS server that wants something else (a client certificate, another version) answers with an alert.
                return Security.TLS if "ALERT" in (error.reason or "") else Security.PLAINTEXT
            except ConnectionError:
                # A gRPC server that reads plaintext hangs up on a ClientHello.
                return Security.PLAINTEXT
    except (OSError, UnicodeError):  # UnicodeError: a host that no DNS name can be
        return None


async def asecurity(endpoint: str, timeout: float) -> Security | None:
    """:func:`security` in a thread: a name look-up and a handshake would hold the loop."""
    return await asyncio.to_thread(security, endpoint, timeout)
