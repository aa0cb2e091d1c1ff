"""The facet of our own in OpenLineage's events. Needs OpenLineage, so only ``openlineage.py`` imports it, and late."""

from __future__ import annotations

import attrs
from openlineage.client.facet_v2 import RunFacet, external_query_run

__all__ = ["FlyteRunFacet", "external_query_run"]


@attrs.define
class FlyteRunFacet(RunFacet):  # type: ignore[misc]
    """The Flyte run of a task. Names as OpenLineage's own facets have them."""

    taskName: str
    """The Flyte task."""

    taskVersion: str | None = None
    """Its version; None while the latest one is not known yet."""

    runName: str | None = None
    """The run; None while it is not launched yet."""

    project: str | None = None
    """The run's project."""

    domain: str | None = None
    """The run's domain."""

    url: str | None = None
    """The run's page in the Flyte console."""

    phase: str | None = None
    """The phase in which the task saw it last."""

    attempts: int | None = None
    """How many attempts Flyte made."""

    errorKind: str | None = None
    """``USER`` or ``SYSTEM``, where the run failed."""
