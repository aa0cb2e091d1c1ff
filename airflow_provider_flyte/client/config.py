"""Settings of a client: frozen, checked when made, and safe to print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from airflow_provider_flyte.client.arguments import printable, seconds, switch
from airflow_provider_flyte.client.credentials import Credentials, Secret, hide
from airflow_provider_flyte.client.endpoint import check_hosts, is_endpoint, without_user
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.metadata import AUTHORIZATION, is_metadata_key, may_be_secret
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey, check_run_name_prefix, project_domain, run_key

AUTO, GRPC, CONNECT = TRANSPORTS = ("auto", "grpc", "connect")
"""The values of ``transport``."""

_DEVBOX_API, _DEVBOX_CONSOLE = 8090, 8080

_METADATA_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class FlyteConfig:
    """Where Flyte is, what is asked for by default, and how patient a call is."""

    endpoint: str
    """``host:port`` of the Flyte 2 API, for instance ``localhost:8090``; an IPv6 address stands in brackets."""

    insecure: bool = False
    """Plaintext instead of TLS. With TLS the server is verified against ``ca_bundle``, else the system's roots."""

    transport: str = AUTO
    """``grpc``, ``connect`` (HTTP, for an ingress that does not pass gRPC), or ``auto``, which finds out."""

    org: str = ""
    """Organisation sent with each request; the open-source backend ignores it."""

    project: str = ""
    """Project of a run when the caller names none."""

    domain: str = ""
    """Domain of a run when the caller names none."""

    console_url: str = ""
    """Base URL of the Flyte console where it is not the endpoint's host, for instance ``https://flyte.example.com``."""

    timeout: float = 15.0
    """Deadline of one call, in seconds or as a timedelta."""

    retry_budget: float = 30.0
    """How long a read that fails for a transient reason is repeated, in seconds. Writes are never repeated."""

    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Extra metadata of each call. Kept out of the repr, because it may carry a secret."""

    secret_metadata_keys: tuple[str, ...] = ()
    """Keys of ``metadata`` whose values are secrets; others are taken for secrets by their key or because they are no
    ordinary words. Secrets are hidden where a server repeats them."""

    credentials: Credentials | None = None
    """Where the token of each call comes from; None sends none."""

    metadata_header: str = ""
    """Metadata key of the token; by default the one that the Flyte deployment publishes, else ``authorization``."""

    ca_bundle: str = field(default="", repr=False)
    """Certificate authorities to trust instead of the system's: PEM, or the path of a file with them."""

    client_certificate: str = field(default="", repr=False)
    """The client's own certificate, where the server asks for one: PEM, or a path."""

    client_private_key: str = field(default="", repr=False)
    """The certificate's private key: PEM without a password, or a path."""

    server_name: str = ""
    """Name that the server's certificate is checked for, where it is not the endpoint's host."""

    verify: bool = True
    """Whether the server's certificate is checked at all. Without that, anybody in between can read the token."""

    keepalive: float = 0.0
    """Seconds between two HTTP/2 pings on a quiet connection (gRPC only); 0 sends none.

    gRPC servers hang up on a client that pings more often than they allow, by default once in 300 s.
    """

    allowed_projects: tuple[str, ...] = ()
    """Projects that may be used; anything else is refused before a call. Empty: all."""

    allowed_domains: tuple[str, ...] = ()
    """Domains that may be used; anything else is refused before a call. Empty: all."""

    allowed_run_as: tuple[str, ...] = ()
    """Kubernetes service accounts, and IAM roles of Flyte triggers, that runs may be launched as; anything else is
    refused before that. Empty: all."""

    allowed_data_planes: tuple[str, ...] = ()
    """Further hosts that Flyte may name as data planes, which then get the credentials. Without: Flyte's host, its
    domain, and the names directly in that."""

    run_name_prefix: str = ""
    """What the names of launched runs begin with."""

    stream_logs: bool | None = None
    """Whether tasks that do not say it themselves write the logs of their runs into their own; None: not set."""

    def __post_init__(self) -> None:
        if not is_endpoint(self.endpoint):
            raise ConfigError(
                f"endpoint {without_user(self.endpoint)!r} is not host:port. Give the Flyte API's host and port "
                "without a scheme, for instance 'localhost:8090' or 'flyte.example.com:443'."
            )
        for name in ("endpoint", "org", "project", "domain", "console_url", "server_name"):
            printable(name, getattr(self, name))
        if self.transport not in TRANSPORTS:
            raise ConfigError(f"transport {self.transport!r} is unknown; enter one of {', '.join(TRANSPORTS)}.")
        for name in ("insecure", "verify"):
            object.__setattr__(self, name, switch(name, getattr(self, name)))
        object.__setattr__(self, "stream_logs", switch("stream_logs", self.stream_logs, optional=True))
        for name in ("timeout", "retry_budget", "keepalive"):
            # 0 switches pings off.
            above_least = name != "keepalive"
            object.__setattr__(self, name, seconds(name, getattr(self, name), above_least=above_least))
        for key, value in self.metadata:
            if not is_metadata_key(key) or not _METADATA_VALUE.fullmatch(value):
                raise ConfigError(
                    f"metadata {key!r} cannot be sent: a key has lower-case letters, digits, '-', '_' or '.', does not "
                    "begin with 'grpc-' or 'connect-' or end with '-bin', and is none that HTTP needs itself, such as "
                    "'host'; a value is printable ASCII without line breaks."
                )
        object.__setattr__(self, "metadata", tuple((key, Secret(value)) for key, value in self.metadata))
        hide(self, "client_private_key")
        self._check_security()
        for part in ("project", "domain"):
            if getattr(self, part):
                self._check_allowed(part, getattr(self, part))
        check_hosts("allowed_data_planes", self.allowed_data_planes)
        if self.run_name_prefix:
            check_run_name_prefix(self.run_name_prefix)
        if self.console_url:
            self._check_console_url()

    def _check_console_url(self) -> None:
        scheme, _, rest = self.console_url.partition("://")
        if scheme.lower() not in ("http", "https"):
            raise ConfigError(f"console_url {without_user(self.console_url)!r} must begin with http:// or https://.")
        if "@" in rest.partition("/")[0]:
            raise ConfigError(
                "console_url has an @ in its host, before which a user or a password stands; every link would show it. "
                "Enter the URL without."
            )

    def _check_security(self) -> None:
        header = self.metadata_header
        if header and not is_metadata_key(header):
            raise ConfigError(
                f"metadata_header {header!r} cannot be sent: enter a key of lower-case letters, digits, '-', '_' "
                "or '.' that HTTP does not need itself, such as authorization or flyte-authorization."
            )
        if self.credentials and any(key == (header or AUTHORIZATION) for key, _ in self.metadata):
            raise ConfigError(
                f"metadata {header or AUTHORIZATION!r} is where the token goes. Take it out of the extra metadata, "
                "or name another metadata_header for the token."
            )
        if bool(self.client_certificate) != bool(self.client_private_key):
            missing = "client_private_key" if self.client_certificate else "client_certificate"
            raise ConfigError(f"{missing} is empty. A client certificate needs both: enter PEM text or a path.")
        if self.server_name and not is_endpoint(f"{self.server_name}:443"):
            raise ConfigError(f"server_name {self.server_name!r} is no host name. Enter one without scheme and port.")
        if self.insecure and (self.client_certificate or self.server_name or not self.verify):
            name = "client_certificate" if self.client_certificate else "server_name" if self.server_name else "verify"
            raise ConfigError(f"{name} has no meaning with plaintext. Switch insecure off, or leave {name} as it was.")

    @property
    def secret_values(self) -> tuple[str, ...]:
        """The values of the metadata that nothing may show."""
        return tuple(
            value for key, value in self.metadata if key in self.secret_metadata_keys or may_be_secret(key, value)
        )

    def key(self, name: object, project: str | None = None, domain: str | None = None) -> RunKey:
        """Key of a run, with this config's project and domain where the caller names none.

        :raises ConfigError: also for a project or domain that is not allowed.
        """
        key = run_key(name, project or self.project, domain or self.domain)
        self.check_project_domain(key.project, key.domain)
        return key

    def project_domain(self, project: str | None, domain: str | None, what: str) -> ProjectDomain:
        """Where something is; project and domain are by default the config's.

        :param what: what is there, for the error.
        :raises ConfigError: also for a project or domain that is not allowed.
        """
        where = project_domain(project or self.project, domain or self.domain, what)
        self.check_project_domain(where.project, where.domain)
        return where

    def check_project_domain(self, project: str, domain: str) -> None:
        """Refuse a project or domain that this config may not be used for."""
        self._check_allowed("project", project)
        self._check_allowed("domain", domain)

    def check_run_as(self, identity: str, what: str = "service account") -> None:
        """Refuse a service account, or another identity, that runs may not be launched as."""
        self._check_in(self.allowed_run_as, "allowed_run_as", what, identity)

    def _check_allowed(self, part: str, value: str) -> None:
        name = f"allowed_{part}s"
        self._check_in(getattr(self, name), name, part, value)

    def _check_in(self, allowed: tuple[str, ...], name: str, part: str, value: str) -> None:
        if allowed and value not in allowed:
            raise ConfigError(
                f"{part} {value!r} is not allowed here, only {', '.join(allowed)}. Use one of these, or have "
                f"{name} of the Flyte connection extended."
            )

    def run_url(self, key: RunKey) -> str:
        """Address of the run's page in the Flyte console."""
        domain, project, name = (quote(each, safe="") for each in (key.domain, key.project, key.name))
        return f"{self._console}/v2/domain/{domain}/project/{project}/runs/{name}"

    @property
    def _console(self) -> str:
        if self.console_url:
            return self.console_url.rstrip("/")
        host, _, port = self.endpoint.rpartition(":")
        scheme, default = ("http", 80) if self.insecure else ("https", 443)
        # Flyte's local devbox serves the API at 8090 and the console at 8080 of the same host.
        number = _DEVBOX_CONSOLE if self.insecure and int(port) == _DEVBOX_API else int(port)
        return f"{scheme}://{host}" if number == default else f"{scheme}://{host}:{number}"
