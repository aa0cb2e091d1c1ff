"""A probe of what really listens at an address, because grpc's text about it changes with its version.

``UNAVAILABLE`` stands for a server that is down as well as for TLS against a plaintext port. Only the second is a
mistake that waiting cannot mend.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_flyte.client.transport.deadline import Deadline
from airflow_provider_flyte.client.transport.route import Route

TIMEOUT = 2.0
"""Maximum seconds for connecting, and for the handshake."""

_UNKNOWN_AUTHORITY = {18, 19, 20, 21}
_OTHER_NAME = {62, 63, 64}
"""OpenSSL's X509_V_ERR numbers, which stay the same when its texts change."""

_ABOUT_CLIENTS = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
"""In OpenSSL's names of the alerts with which a server refuses a client's certificate, or the lack of one."""

_REFUSES_WITHIN = 0.5
"""Seconds. A server that speaks first (HTTP/2) sends something else as soon."""

_LONGEST_ANSWER = 65536


class Security(Enum):
    """The security that a port speaks."""

    TLS = "tls"
    PLAINTEXT = "plaintext"


class Certificate(Enum):
    """What is wrong with a server's certificate."""

    UNKNOWN_AUTHORITY = "unknown authority"
    OTHER_NAME = "other name"
    CLIENTS = "the client's is missing or refused"
    INVALID = "invalid"


@dataclass(frozen=True)
class Port:
    """The result of a probe."""

    speaks: Security | None = None
    """None when nothing there can be reached or recognised."""

    http2: bool = False
    """Whether it agreed to HTTP/2 by ALPN; only with TLS."""

    certificate: Certificate | None = None
    details: str = ""
    """OpenSSL's text about the certificate, or which proxy does not lead there."""

    why: str = ""
    """Why nothing can be reached."""


def probe_port(route: Route) -> Port:
    """Connect, through the proxy if there is one, and begin TLS; with ``insecure`` only connect."""
    try:
        with _connect(route) as raw:
            return _shake_hands(route, raw)
    except _ProxyRefusedError as refused:
        # Many proxies allow CONNECT for TLS alone, and still pass a plain request on.
        speaks = Security.PLAINTEXT if route.insecure else None
        return Port(speaks, details=_through(route, str(refused)), why="refused")
    except (OSError, UnicodeError, ValueError) as error:  # UnicodeError: a host that no DNS name can be
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return Port(details=_through(route, "which does not lead there"), why=why)


class _ProxyRefusedError(Exception):
    """The proxy answered CONNECT with something else than 200."""


def _through(route: Route, what: str) -> str:
    return f"through the proxy {route.proxy_name}, {what}" if route.proxy else ""


def _connect(route: Route) -> socket.socket:
    if route.proxy is None:
        return socket.create_connection((route.host, route.port), timeout=TIMEOUT)
    proxy = urlsplit(route.proxy)
    raw = socket.create_connection((proxy.hostname, proxy.port or 80), timeout=TIMEOUT)
    try:
        target = f"[{route.host}]:{route.port}" if ":" in route.host else f"{route.host}:{route.port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if route.proxy_authorization:
            lines.append(f"Proxy-Authorization: {route.proxy_authorization}")
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        answer, deadline = b"", Deadline(TIMEOUT)
        while b"\r\n\r\n" not in answer:
            raw.settimeout(deadline.left())
            part = raw.recv(4096)
            if not part or len(answer) > _LONGEST_ANSWER:
                raise ConnectionError("the proxy hung up")
            answer += part
        [_, number, *_] = [*answer.split(None, 2), b"", b""]
        raw.settimeout(TIMEOUT)
        if number != b"200":
            status = f"HTTP {number.decode()}" if number.isdigit() else "no HTTP"
            raise _ProxyRefusedError(f"which answers CONNECT with {status}")
    except BaseException:
        raw.close()
        raise
    return raw


def _shake_hands(route: Route, raw: socket.socket) -> Port:
    # With plaintext nothing is sent that would need a verified peer.
    context = _unverified(route) if route.insecure else route.new_tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with context.wrap_socket(raw, server_hostname=route.server_name or route.host) as secure:
            http2 = secure.selected_alpn_protocol() == "h2"
            ours, details = _what_follows(secure)
            return Port(Security.TLS, http2=http2, certificate=ours, details=details)
    except ssl.SSLCertVerificationError as error:
        wrong = Certificate.INVALID
        if error.verify_code in _OTHER_NAME:
            wrong = Certificate.OTHER_NAME
        elif error.verify_code in _UNKNOWN_AUTHORITY:
            wrong = Certificate.UNKNOWN_AUTHORITY
        return Port(Security.TLS, certificate=wrong, details=error.verify_message)
    except ssl.SSLError as error:
        # A TLS server that wants something else (a client certificate, another version) answers with an alert.
        if "ALERT" not in (error.reason or ""):
            return Port(Security.PLAINTEXT)
        return Port(Security.TLS, certificate=_about_ours(error), details=_details(error))
    except ConnectionError:
        # A gRPC server that reads plaintext hangs up on a ClientHello.
        return Port(Security.PLAINTEXT)


def _what_follows(secure: ssl.SSLSocket) -> tuple[Certificate | None, str]:
    """What a server does after the handshake: with TLS 1.3 it checks the client's certificate only then."""
    secure.settimeout(_REFUSES_WITHIN)
    try:
        hangs_up = not secure.recv(1)
    except TimeoutError:
        return None, ""
    except ssl.SSLError as error:
        if ours := _about_ours(error):
            return ours, _details(error)
        hangs_up = True
    except OSError:
        hangs_up = True
    # Not certain: a load balancer without a backend hangs up too.
    return None, "it hangs up after the handshake, as a server may that wants a client certificate" if hangs_up else ""


def _about_ours(error: ssl.SSLError) -> Certificate | None:
    """Whether an alert of the server's is about the client's certificate; OpenSSL names them by RFC 8446."""
    return Certificate.CLIENTS if any(word in (error.reason or "") for word in _ABOUT_CLIENTS) else None


def _details(error: ssl.SSLError) -> str:
    return (error.reason or "").replace("_", " ").lower()


def _unverified(route: Route) -> ssl.SSLContext:
    return replace(route, roots=None, verify=False).new_tls()


def trusting(route: Route) -> Route:
    """The same route, trusting the certificate that the server shows now, for the name that stands in it.

    The same route where no certificate can be read: a call will fail with the reason.
    """
    try:
        with _connect(route) as raw, _handshake(_unverified(route), raw, route) as secure:
            shown = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
        # Python describes only a certificate that was verified: here, by itself.
        context = replace(route, roots=shown.encode(), verify=True).new_tls()
        context.check_hostname = False
        with _connect(route) as raw, _handshake(context, raw, route) as secure:
            names: Any = (secure.getpeercert() or {}).get("subjectAltName", ())
    except (_ProxyRefusedError, OSError, UnicodeError, ValueError):
        return route
    # A certificate may also name a directory, which is no text, a workload (spiffe://) or an e-mail address.
    hosts = [name for kind, name in names if kind in ("DNS", "IP Address")]
    if not hosts:
        return route
    return replace(route, roots=shown.encode(), server_name=hosts[0].replace("*", "any"), verify=True)


def _handshake(context: ssl.SSLContext, raw: socket.socket, route: Route) -> ssl.SSLSocket:
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(raw, server_hostname=route.server_name or route.host)
