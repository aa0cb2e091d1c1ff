"""Who did something in Flyte, by the name that people know them by."""

from __future__ import annotations

from airflow_provider_flyte.client.idl.common import identity_pb2


def principal_name(identity: identity_pb2.EnrichedIdentity) -> str:
    """A person's mail address or name, or an application's name, or else its id; as Flyte has it, '' for nobody."""
    if identity.WhichOneof("principal") == "application":
        app = identity.application
        return app.spec.name or app.id.subject
    user = identity.user
    full_name = f"{user.spec.first_name} {user.spec.last_name}".strip()
    return user.spec.email or user.spec.user_handle or full_name or user.id.subject
