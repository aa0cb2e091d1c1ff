"""TLS as the settings and the machine say, and both ways of mixing it up with plaintext."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.client.errors import (
    CertificateError,
    ClientCertificateError,
    ConfigError,
    SpeaksPlaintextError,
    SpeaksTlsError,
    TokenServerError,
    UnavailableError,
    UnknownAuthorityError,
    WrongHostNameError,
    is_lasting,
)
from airflow_provider_flyte.client.transport.route import system_roots
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.servers.connect_server import server_context
from tests.client.conftest import config_for
from tests.support.certificates import Authority, make_certificate
from tests.support.oauth2 import OAuth2Server
from tests.support.tls_front import TlsFront

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
    certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, on_a_loop: bool
) -> None:
    (tmp_path / "roots.pem").write_bytes(certificate[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with LocalFlyte(transports=(protocol,), tls=certificate) as flyte:
        flyte.run("r1")
        assert read(config_for(flyte, insecure=False), on_a_loop=on_a_loop).name == "r1"


def test_roots_in_a_folder(certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours.pem").write_bytes(certificate[0])
    (tmp_path / "README").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert system_roots() == certificate[0]


@both
def test_an_unknown_authority_is_refused(certificate: tuple[bytes, bytes], protocol: str, on_a_loop: bool) -> None:
    with (
        LocalFlyte(transports=(protocol,), tls=certificate) as flyte,
        pytest.raises(UnknownAuthorityError, match="SSL_CERT_FILE"),
    ):
        read(config_for(flyte, insecure=False), on_a_loop=on_a_loop)


@both
def test_an_expired_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, on_a_loop: bool
) -> None:
    expired = make_certificate("localhost", expired=True)
    (tmp_path / "roots.pem").write_bytes(expired[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with (
        LocalFlyte(transports=(protocol,), tls=expired) as flyte,
        pytest.raises(CertificateError, match="have it renewed") as raised,
    ):
        read(config_for(flyte, insecure=False), on_a_loop=on_a_loop)
    assert type(raised.value) is CertificateError
    assert is_lasting(raised.value)


@both
def test_plaintext_against_tls(certificate: tuple[bytes, bytes], protocol: str, on_a_loop: bool) -> None:
    with (
        LocalFlyte(transports=(protocol,), tls=certificate) as flyte,
        pytest.raises(SpeaksTlsError, match="switch Insecure off"),
    ):
        read(config_for(flyte), on_a_loop=on_a_loop)


@both
def test_tls_against_plaintext(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    with pytest.raises(SpeaksPlaintextError, match="switch Insecure on"):
        read(config_for(local_flyte, insecure=False), on_a_loop=on_a_loop)


# -- what the settings say


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Our root")


@both
@pytest.mark.parametrize("as_path", [False, True], ids=["text", "path"])
def test_a_ca_bundle_is_believed_instead_of_the_systems_roots(
    authority: Authority, tmp_path: Path, protocol: str, as_path: bool, on_a_loop: bool
) -> None:
    (tmp_path / "bundle.pem").write_bytes(authority.pem)
    bundle = str(tmp_path / "bundle.pem") if as_path else authority.pem.decode()
    with LocalFlyte(transports=(protocol,), tls=authority.issue("localhost")) as flyte:
        flyte.run("r1")
        assert read(config_for(flyte, insecure=False, ca_bundle=bundle), on_a_loop=on_a_loop).name == "r1"
        other = config_for(flyte, insecure=False, ca_bundle=Authority("Another root").pem.decode())
        with pytest.raises(UnknownAuthorityError, match="as CA bundle"):
            read(other, on_a_loop=on_a_loop)


@both
def test_the_certificate_is_for_another_host(authority: Authority, protocol: str, on_a_loop: bool) -> None:
    with LocalFlyte(transports=(protocol,), tls=authority.issue("flyte.example.com")) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode())
        with pytest.raises(WrongHostNameError, match="or as server name where the host must stay"):
            read(config, on_a_loop=on_a_loop)
        named = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode(), server_name="flyte.example.com")
        assert read(named, on_a_loop=on_a_loop).name == "r1"
        wrong = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode(), server_name="example.com")
        with pytest.raises(WrongHostNameError):
            read(wrong, on_a_loop=on_a_loop)


@both
def test_a_certificate_for_an_address(authority: Authority, protocol: str, on_a_loop: bool) -> None:
    with LocalFlyte(transports=(protocol,), tls=authority.issue("127.0.0.1")) as flyte:
        flyte.run("r1")
        there = {"endpoint": f"127.0.0.1:{flyte.port}", "insecure": False, "ca_bundle": authority.pem.decode()}
        assert read(config_for(flyte, **there), on_a_loop=on_a_loop).name == "r1"
        by_name = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode(), server_name="127.0.0.1")
        assert read(by_name, on_a_loop=on_a_loop).name == "r1"


@both
def test_an_intermediate_certificate_that_the_server_does_not_send(
    authority: Authority, protocol: str, on_a_loop: bool
) -> None:
    between = Authority("Between", authority)
    certificate, key = between.issue("localhost")
    with LocalFlyte(transports=(protocol,), tls=(certificate, key)) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode())
        with pytest.raises(UnknownAuthorityError, match="must also send the certificates between"):
            read(config, on_a_loop=on_a_loop)
        # Whoever cannot have the server mended may name it.
        for bundle in (between.pem, authority.pem + between.pem):
            mended = config_for(flyte, insecure=False, ca_bundle=bundle.decode())
            assert read(mended, on_a_loop=on_a_loop).name == "r1"
    with LocalFlyte(transports=(protocol,), tls=(certificate + between.pem, key)) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode())
        assert read(config, on_a_loop=on_a_loop).name == "r1"


@both
def test_a_self_signed_certificate_may_be_named(
    certificate: tuple[bytes, bytes], protocol: str, on_a_loop: bool
) -> None:
    with LocalFlyte(transports=(protocol,), tls=certificate) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, ca_bundle=certificate[0].decode())
        assert read(config, on_a_loop=on_a_loop).name == "r1"


@both
def test_an_expired_certificate_of_a_known_authority(authority: Authority, protocol: str, on_a_loop: bool) -> None:
    with LocalFlyte(transports=(protocol,), tls=authority.issue("localhost", expired=True)) as flyte:
        config = config_for(flyte, insecure=False, ca_bundle=authority.pem.decode())
        with pytest.raises(CertificateError, match="is not valid: have it renewed"):
            read(config, on_a_loop=on_a_loop)


@both
@pytest.mark.parametrize("as_path", [False, True], ids=["text", "path"])
def test_a_server_that_wants_a_certificate(
    authority: Authority, tmp_path: Path, protocol: str, as_path: bool, on_a_loop: bool
) -> None:
    clients = Authority("Clients")
    certificate, key = clients.issue("airflow")
    (tmp_path / "own.pem").write_bytes(certificate)
    (tmp_path / "own.key").write_bytes(key)
    ours: dict[str, Any] = {"client_certificate": certificate.decode(), "client_private_key": key.decode()}
    if as_path:
        ours = {"client_certificate": str(tmp_path / "own.pem"), "client_private_key": str(tmp_path / "own.key")}
    bundle = authority.pem.decode()
    with LocalFlyte(transports=(protocol,), tls=authority.issue("localhost"), client_roots=clients.pem) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, ca_bundle=bundle, retry_budget=0.01)
        assert read(dataclasses.replace(config, **ours), on_a_loop=on_a_loop).name == "r1"
        # It hangs up without a word, and so does a balancer whose servers are away.
        with pytest.raises(UnavailableError, match="as a server may that wants a client certificate"):
            read(config, on_a_loop=on_a_loop)


@both
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_server_that_says_that_it_wants_a_certificate(
    authority: Authority, local_flyte: LocalFlyte, protocol: str, version: ssl.TLSVersion, on_a_loop: bool
) -> None:
    local_flyte.run("r1")
    clients = Authority("Clients")
    context = server_context(authority.issue("localhost"), clients.pem)
    context.maximum_version = version
    with TlsFront(context, local_flyte.port, "h2" if protocol == "grpc" else "http/1.1") as front:

        def read_with(issuer: Authority | None) -> RunDetails:
            certificate, key = issuer.issue("airflow") if issuer else (b"", b"")
            config = config_for(
                local_flyte,
                endpoint=front.endpoint,
                insecure=False,
                ca_bundle=authority.pem.decode(),
                client_certificate=certificate.decode(),
                client_private_key=key.decode(),
            )
            return read(config, on_a_loop=on_a_loop)

        assert read_with(clients).name == "r1"
        with pytest.raises(ClientCertificateError, match="enter client certificate and private key") as raised:
            read_with(None)
        assert is_lasting(raised.value)
        with pytest.raises(ClientCertificateError, match=r"unknown ca.*or ones that it trusts"):
            read_with(Authority("Strangers"))


@both
@pytest.mark.parametrize("name", ["localhost", "flyte.example.com", "127.0.0.1"])
def test_a_certificate_that_is_not_checked(
    protocol: str, name: str, caplog: pytest.LogCaptureFixture, on_a_loop: bool
) -> None:
    with LocalFlyte(transports=(protocol,), tls=Authority("Nobody knows").issue(name)) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, verify=False)
        for _ in range(2):
            assert read(config, on_a_loop=on_a_loop).name == "r1"
    assert caplog.text.count(f"The certificate of {flyte.endpoint} is NOT checked") == 1


@both
@pytest.mark.parametrize(
    "first",
    [
        x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "flyte")])),
        x509.UniformResourceIdentifier("spiffe://cluster.local/ns/flyte/sa/flyte"),
    ],
    ids=["directory", "workload"],
)
def test_a_certificate_that_is_not_checked_may_name_more_than_hosts(
    protocol: str, first: x509.GeneralName, on_a_loop: bool
) -> None:
    with LocalFlyte(transports=(protocol,), tls=make_certificate("flyte.example.com", first)) as flyte:
        flyte.run("r1")
        assert read(config_for(flyte, insecure=False, verify=False), on_a_loop=on_a_loop).name == "r1"


@both
def test_an_expired_certificate_that_is_not_checked(protocol: str, on_a_loop: bool) -> None:
    """GRPC has no setting for it and refuses what is expired; Connect does not."""
    with LocalFlyte(transports=(protocol,), tls=make_certificate("localhost", expired=True)) as flyte:
        flyte.run("r1")
        config = config_for(flyte, insecure=False, verify=False, retry_budget=0.01)
        if protocol == "connect":
            assert read(config, on_a_loop=on_a_loop).name == "r1"
        else:
            with pytest.raises(UnavailableError):
                read(config, on_a_loop=on_a_loop)


@both
def test_a_certificate_that_is_not_checked_may_become_another_one(protocol: str, on_a_loop: bool) -> None:
    first = LocalFlyte(transports=(protocol,), tls=make_certificate("localhost")).start()
    first.run("r1")
    config = config_for(first, insecure=False, verify=False)

    async def through_the_change() -> None:
        async with FlyteClient(config) as client:

            async def ask() -> str:
                if on_a_loop:
                    return (await RunDetails.get.aio("r1")).name
                return (await asyncio.to_thread(RunDetails.get, "r1", client)).name

            assert await ask() == "r1"
            await asyncio.to_thread(first.stop)
            async with LocalFlyte(
                first.port, transports=(protocol,), tls=make_certificate("flyte.example.com")
            ) as second:
                second.run("r1")
                assert await ask() == "r1"

    asyncio.run(through_the_change())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ca_bundle": "/no/such/file"}, "file that ca_bundle names cannot be read: No such file"),
        ({"ca_bundle": "-----BEGIN CERTIFICATE-----\ncorrecthorse\n-----END CERTIFICATE-----"}, "ca_bundle cannot be"),
        ({"ca_bundle": "-----BEGIN PRIVATE KEY-----\ncorrecthorse"}, "ca_bundle holds no certificate"),
        ({"client_certificate": "/no", "client_private_key": "/no"}, "file that client_certificate names"),
        ({"client_certificate": "-----BEGIN x", "client_private_key": "-----BEGIN correcthorse"}, "cannot be used"),
    ],
)
def test_material_that_cannot_be_read_is_refused_and_not_shown(fields: dict[str, Any], words: str) -> None:
    config = FlyteConfig(endpoint="localhost:443", **fields)
    with pytest.raises(ConfigError, match=words) as raised:
        FlyteClient(config)
    told = "".join(traceback.TracebackException.from_exception(raised.value).format())
    assert "correcthorse" not in told


def test_a_key_that_does_not_belong_to_the_certificate_or_has_a_password(authority: Authority) -> None:
    certificate, _ = authority.issue("airflow")
    _, other = authority.issue("airflow")
    config = FlyteConfig(
        endpoint="localhost:443", client_certificate=certificate.decode(), client_private_key=other.decode()
    )
    with pytest.raises(ConfigError, match="belong together, and the key must have no password"):
        FlyteClient(config)


@both
@pytest.mark.parametrize(("host", "verify"), [("localhost", True), ("elsewhere", True), ("localhost", False)])
def test_the_token_server_is_always_verified(
    authority: Authority, certificate: tuple[bytes, bytes], protocol: str, host: str, verify: bool, on_a_loop: bool
) -> None:
    """Against the CA bundle beside the system's roots, whatever is said of Flyte's own certificate."""
    with (
        LocalFlyte(transports=(protocol,), tls=certificate) as flyte,
        OAuth2Server(tls=server_context(authority.issue(host))) as oauth2,
    ):
        flyte.run("r1")
        oauth2.guard(flyte)
        trust = {"ca_bundle": (authority.pem + certificate[0]).decode()} if verify else {"verify": False}
        config = config_for(flyte, insecure=False, credentials=oauth2.credentials(), retry_budget=0.01, **trust)
        if verify and host == "localhost":
            assert read(config, on_a_loop=on_a_loop).name == "r1"
        else:
            with pytest.raises(TokenServerError, match="certificate verify failed"):
                read(config, on_a_loop=on_a_loop)
            assert not oauth2.forms
