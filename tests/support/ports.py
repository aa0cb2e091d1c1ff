"""Ports of loopback for programs that take a number alone, and one at which nobody listens."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_FROM, _TO = 10_000, 32_768
"""Below those that Linux gives who asks for port 0 and who connects (``net.ipv4.ip_local_port_range``).

A port of those that is let go for a program to take is somebody's connection now and then when the program comes.
"""

_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, each another; who can take port 0 or an open socket has no need of it."""
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.sample(range(_FROM, _TO), _TRIES):
            try:
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
    raise OSError(f"fewer than {count} of {_TRIES} ports are free")


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else gets while the block lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
