"""The certificate authorities that this machine trusts, as PEM.

grpcio brings a list of its own and reads neither the system's nor ``SSL_CERT_FILE``, so a company's own authority would
be unknown to it.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_BUNDLE = "ca-certificates.crt"


def system_roots() -> bytes | None:
    """What ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name, else the system's; None where there is neither."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile).read_bytes()
    if not paths.capath:
        return None
    folder = Path(paths.capath)
    # Debian keeps all of them in one file beside the single ones.
    files = [folder / _BUNDLE] if (folder / _BUNDLE).is_file() else sorted(folder.iterdir())
    certificates = {text for file in files if file.is_file() and _BEGIN in (text := file.read_bytes())}
    return b"\n".join(sorted(certificates)) or None
