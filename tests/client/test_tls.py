"""TLS with the roots of the machine, and both ways of mixing it up with plaintext."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.client.errors import (
    CertificateError,
    SpeaksPlaintextError,
    SpeaksTlsError,
    UnknownAuthorityError,
    is_lasting,
)
from airflow_provider_flyte.client.route import system_roots
from airflow_provider_flyte.testing import LocalFlyte
from tests.certificates import make_certificate
from tests.client.conftest import config_for

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])


def read(config: FlyteConfig, *, on_a_loop: bool) -> RunDetails:
    async def on_loop() -> RunDetails:
        async with FlyteClient(config):
            return await RunDetails.get.aio("r1")

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config):
        return RunDetails.get("r1")


@both
def test_the_systems_roots_are_those_of_ssl_cert_file(
    certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, on_a_loop: bool
) -> None:
    (tmp_path / "roots.pem").write_bytes(certificate[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with LocalFlyte(doors=(door,), tls=certificate) as flyte:
        flyte.run("r1")
        assert read(config_for(flyte, insecure=False), on_a_loop=on_a_loop).name == "r1"


def test_roots_in_a_folder(certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours.pem").write_bytes(certificate[0])
    (tmp_path / "README").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert system_roots() == certificate[0]


@both
def test_an_unknown_authority_is_refused(certificate: tuple[bytes, bytes], door: str, on_a_loop: bool) -> None:
    with (
        LocalFlyte(doors=(door,), tls=certificate) as flyte,
        pytest.raises(UnknownAuthorityError, match="SSL_CERT_FILE"),
    ):
        read(config_for(flyte, insecure=False), on_a_loop=on_a_loop)


@both
def test_an_expired_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, on_a_loop: bool
) -> None:
    expired = make_certificate("localhost", expired=True)
    (tmp_path / "roots.pem").write_bytes(expired[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with (
        LocalFlyte(doors=(door,), tls=expired) as flyte,
        pytest.raises(CertificateError, match="have it renewed") as raised,
    ):
        read(config_for(flyte, insecure=False), on_a_loop=on_a_loop)
    assert type(raised.value) is CertificateError
    assert is_lasting(raised.value)


@both
def test_plaintext_against_tls(certificate: tuple[bytes, bytes], door: str, on_a_loop: bool) -> None:
    with (
        LocalFlyte(doors=(door,), tls=certificate) as flyte,
        pytest.raises(SpeaksTlsError, match="switch Insecure off"),
    ):
        read(config_for(flyte), on_a_loop=on_a_loop)


@both
def test_tls_against_plaintext(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    with pytest.raises(SpeaksPlaintextError, match="switch Insecure on"):
        read(config_for(local_flyte, insecure=False), on_a_loop=on_a_loop)
