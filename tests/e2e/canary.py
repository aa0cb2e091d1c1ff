"""Connections whose secrets are known, one for each authentication, and the Flytes that take them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from airflow_provider_flyte.client.idl.core import tasks_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.testing import LocalFlyte, RunHandle, status
from tests.support.after_first_poll import AfterFirstPoll
from tests.support.certificates import Authority
from tests.support.oauth2 import OAuth2Server

CLIENT_ID = "canary-id"
_FIELDS = ("client_secret", "token", "token_file", "secret_metadata", "wrong_secret", "broken_key")
_VARIABLES = ("env of the run", "env of the container", "env of the pod")


class Canary:
    """Use it as ``with Canary(folder) as canary``.

    :param folder: for the files that the connections name.
    """

    def __init__(self, folder: Path) -> None:
        self._open = ExitStack()
        # Signs that each quoting and each base64 writes in its own way.
        self._secrets = {name: f"c4nary~{name}+/s3cret?" for name in (*_FIELDS, *_VARIABLES)}
        self.oauth2 = OAuth2Server()
        self.oauth2.secrets = {CLIENT_ID: self._secrets["client_secret"]}
        self.flyte = LocalFlyte(transports=("grpc",))
        servers, self._clients = Authority("servers"), Authority("clients")
        (folder / "roots.pem").write_bytes(servers.pem)
        (folder / "token").write_text(self._secrets["token_file"])
        self._folder = folder
        certificate, key = self._clients.issue("canary")
        self._certificate = certificate.decode()
        self._secrets["client_private_key"] = key.decode()
        self.with_tls = LocalFlyte(transports=("grpc",), tls=servers.issue("localhost"), client_roots=self._clients.pem)

    def __enter__(self) -> Canary:
        for server in (self.oauth2, self.flyte, self.with_tls):
            self._open.enter_context(server)
        self.flyte.inject("*", status("UNAUTHENTICATED", "who are you?"), when=self._refused)
        self._api_key = base64.b64encode(
            f"{self.flyte.endpoint}:{CLIENT_ID}:{self._secrets['client_secret']}:None".encode()
        ).decode()
        self._launch()
        return self

    def _launch(self) -> None:
        self.flyte.deploy("canary.task", envs={"KEY": self._secrets["env of the container"]})
        pod = tasks_pb2.K8sPod()
        pod.pod_spec.update(
            {"containers": [{"name": "main", "env": [{"name": "KEY", "value": self._secrets["env of the pod"]}]}]}
        )
        template = tasks_pb2.TaskTemplate(type="pod", k8s_pod=pod)
        self.with_tls.deploy("canary.task", spec=task_definition_pb2.TaskSpec(task_template=template))
        for flyte in (self.flyte, self.with_tls):
            flyte.run("canary", task="canary.task", envs={"KEY": self._secrets["env of the run"]}).phases("RUNNING")
        self.flyte.run("canary-failed").phases("RUNNING")
        # No worker is to be kept until the end.
        self._open.enter_context(AfterFirstPoll(self.flyte, {"canary-poke": RunHandle.succeeds}))

    def end_runs(self) -> None:
        """Let all waits end."""
        for flyte in (self.flyte, self.with_tls):
            flyte.run("canary").succeeds()
        self.flyte.run("canary-failed").fails(message="no rows")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def secrets(self) -> Mapping[str, str]:
        """Name -> secret, the access tokens included that were given out so far."""
        tokens = {f"access token {number}": token for number, token in enumerate(self.oauth2.issued)}
        return self._secrets | tokens | {"API key": self._api_key}

    @property
    def unused(self) -> set[str]:
        """Which ways to prove oneself no call has used: then nothing is proved."""
        sent = {value for call in self.flyte.calls() for value in call.metadata.values()}
        used = {
            "token": f"Bearer {self._secrets['token']}" in sent,
            "token_file": f"Bearer {self._secrets['token_file']}" in sent,
            "secret_metadata": self._secrets["secret_metadata"] in sent,
            "access token": any(f"Bearer {token}" in sent for token in self.oauth2.issued),
            "client_private_key": self.with_tls.calls.count("ListRuns") > 0,
        }
        return {name for name, is_used in used.items() if not is_used}

    def connections(self) -> Iterator[dict[str, Any]]:
        """As the REST API takes them."""
        plain = {"insecure": True}
        # Over plaintext Flyte's word for a token server does not count.
        granted = plain | {"oauth_endpoint": self.oauth2.url}
        yield self._connection("api_key", granted | {"authentication": "api_key"}, self._api_key)
        yield self._connection(
            "client_credentials", granted | {"authentication": "client_credentials"}, "client_secret"
        )
        yield self._connection("token", plain | {"authentication": "token"}, "token")
        file = {"authentication": "token_file", "credentials_file": str(self._folder / "token")}
        yield self._connection("token_file", plain | file)
        header = {"secret_metadata": json.dumps({"x-proxy-key": self._secrets["secret_metadata"]})}
        yield self._connection("secret_metadata", plain | header)
        tls = {
            "ca_bundle": str(self._folder / "roots.pem"),
            "client_certificate": self._certificate,
            "client_private_key": self._secrets["client_private_key"],
        }
        yield self._connection("client_private_key", tls, flyte=self.with_tls)
        yield self._connection("refused", granted | {"authentication": "client_credentials"}, "wrong_secret")
        yield self._connection("unusable", plain | {"authentication": "api_key"}, "broken_key")

    def _connection(
        self, name: str, extra: dict[str, Any], secret: str = "", flyte: LocalFlyte | None = None
    ) -> dict[str, Any]:
        where = flyte or self.flyte
        both = {"project": "flytesnacks", "domain": "development"}
        return {
            "connection_id": f"canary_{name}",
            "conn_type": "flyte",
            "host": "localhost",
            "port": where.port,
            "login": CLIENT_ID if extra.get("authentication") == "client_credentials" else None,
            "password": self._secrets.get(secret, secret) or None,
            "extra": json.dumps(extra | both),
        }

    def _refused(self, request: Any, metadata: Mapping[str, str]) -> bool:
        token = metadata.get("authorization", "")
        good = (f"Bearer {self._secrets['token']}", f"Bearer {self._secrets['token_file']}")
        return not (
            token in good
            or self.oauth2.accepts(token)
            or metadata.get("x-proxy-key") == self._secrets["secret_metadata"]
            or type(request).__name__ in ("GetOAuth2MetadataRequest", "GetPublicClientConfigRequest")
        )
