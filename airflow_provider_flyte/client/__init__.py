"""A client of the Flyte 2 control plane. Nothing here knows Airflow.

Names are loaded when first used: importing this package imports neither grpc nor protobuf.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.client.client import FlyteClient
    from airflow_provider_flyte.client.config import FlyteConfig
    from airflow_provider_flyte.client.credentials import ClientCredentials, Secret, StaticToken, TokenFile
    from airflow_provider_flyte.client.errors import (
        AlreadyExistsError,
        BadAnswerError,
        CancelledError,
        CertificateError,
        ClientCertificateError,
        ClosedError,
        ConditionError,
        ConfigError,
        DeadlineExceededError,
        FlyteError,
        GarbledAnswerError,
        InputsError,
        InternalError,
        InvalidArgumentError,
        LaunchUncertainError,
        LoginPageError,
        NoClientError,
        NoConnectError,
        NoGrpcError,
        NoSuchTaskError,
        NoSuchTriggerError,
        NotATextError,
        NotFlyteError,
        NotFoundError,
        PermissionDeniedError,
        ProxyError,
        RpcError,
        RunHiddenError,
        SpeaksPlaintextError,
        SpeaksTlsError,
        Status,
        TokenError,
        TokenServerError,
        UnauthenticatedError,
        UnavailableError,
        UnimplementedError,
        UnknownAuthorityError,
        UnknownError,
        WrongEndpointError,
        WrongHostNameError,
    )
    from airflow_provider_flyte.client.flows.abort import Abort, AbortedRun
    from airflow_provider_flyte.client.flows.launch import LaunchedRun
    from airflow_provider_flyte.client.flows.launch_request import Launch
    from airflow_provider_flyte.client.flows.log_tail import LogTail
    from airflow_provider_flyte.client.flows.signal import SignalledCondition
    from airflow_provider_flyte.client.literals.spelling import restored
    from airflow_provider_flyte.client.phase import RunPhase
    from airflow_provider_flyte.client.run_details import RunDetails
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.client.verdict import Outcome, RunError, WaitRules
    from airflow_provider_flyte.client.watch.results import WaitResult
    from airflow_provider_flyte.client.watch.watcher import RunWatcher

__all__ = [
    "Abort",
    "AbortedRun",
    "AlreadyExistsError",
    "BadAnswerError",
    "CancelledError",
    "CertificateError",
    "ClientCertificateError",
    "ClientCredentials",
    "ClosedError",
    "ConditionError",
    "ConfigError",
    "DeadlineExceededError",
    "FlyteClient",
    "FlyteConfig",
    "FlyteError",
    "GarbledAnswerError",
    "InputsError",
    "InternalError",
    "InvalidArgumentError",
    "Launch",
    "LaunchUncertainError",
    "LaunchedRun",
    "LogTail",
    "LoginPageError",
    "NoClientError",
    "NoConnectError",
    "NoGrpcError",
    "NoSuchTaskError",
    "NoSuchTriggerError",
    "NotATextError",
    "NotFlyteError",
    "NotFoundError",
    "Outcome",
    "PermissionDeniedError",
    "ProxyError",
    "RpcError",
    "RunDetails",
    "RunError",
    "RunHiddenError",
    "RunKey",
    "RunPhase",
    "RunWatcher",
    "Secret",
    "SignalledCondition",
    "SpeaksPlaintextError",
    "SpeaksTlsError",
    "StaticToken",
    "Status",
    "TokenError",
    "TokenFile",
    "TokenServerError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownAuthorityError",
    "UnknownError",
    "WaitResult",
    "WaitRules",
    "WrongEndpointError",
    "WrongHostNameError",
    "restored",
]

_HOMES = {
    "Abort": "flows.abort",
    "AbortedRun": "flows.abort",
    "AlreadyExistsError": "errors",
    "BadAnswerError": "errors",
    "CancelledError": "errors",
    "CertificateError": "errors",
    "ClientCertificateError": "errors",
    "ClientCredentials": "credentials",
    "ClosedError": "errors",
    "ConditionError": "errors",
    "ConfigError": "errors",
    "DeadlineExceededError": "errors",
    "FlyteClient": "client",
    "FlyteConfig": "config",
    "FlyteError": "errors",
    "GarbledAnswerError": "errors",
    "InputsError": "errors",
    "InternalError": "errors",
    "InvalidArgumentError": "errors",
    "Launch": "flows.launch_request",
    "LaunchedRun": "flows.launch",
    "LaunchUncertainError": "errors",
    "LoginPageError": "errors",
    "LogTail": "flows.log_tail",
    "NoClientError": "errors",
    "NoConnectError": "errors",
    "NoGrpcError": "errors",
    "NoSuchTaskError": "errors",
    "NoSuchTriggerError": "errors",
    "NotATextError": "errors",
    "NotFlyteError": "errors",
    "NotFoundError": "errors",
    "Outcome": "verdict",
    "PermissionDeniedError": "errors",
    "ProxyError": "errors",
    "restored": "literals.spelling",
    "RpcError": "errors",
    "RunHiddenError": "errors",
    "RunDetails": "run_details",
    "RunError": "verdict",
    "RunKey": "run_key",
    "RunPhase": "phase",
    "RunWatcher": "watch.watcher",
    "Secret": "credentials",
    "SignalledCondition": "flows.signal",
    "SpeaksPlaintextError": "errors",
    "SpeaksTlsError": "errors",
    "StaticToken": "credentials",
    "Status": "errors",
    "TokenError": "errors",
    "TokenFile": "credentials",
    "TokenServerError": "errors",
    "UnauthenticatedError": "errors",
    "UnavailableError": "errors",
    "UnimplementedError": "errors",
    "UnknownAuthorityError": "errors",
    "UnknownError": "errors",
    "WaitResult": "watch.results",
    "WaitRules": "verdict",
    "WrongEndpointError": "errors",
    "WrongHostNameError": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
