"""Requests that change something in Flyte: only from the tab's own page."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, HTTPException, Request, status

from airflow_provider_flyte.compat.ui import base_url


def _from_the_page(
    request: Request,
    x_flyte_tab: Annotated[str, Header()] = "",
    origin: Annotated[str, Header()] = "",
    sec_fetch_site: Annotated[str, Header()] = "",
    content_type: Annotated[str, Header()] = "",
) -> None:
    """Refuse what another site's page may have a browser send together with the cookie.

    The header and the content type alone make a browser ask first whether it may, which Airflow denies. The browser's
    own word on where a request comes from is looked at, too, where it gives one.
    """
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    # "null" is the origin of a page that is to have none, and has no host.
    ours = {request.headers.get("host"), urlsplit(base_url()).netloc} - {None, ""}
    here = sec_fetch_site == "same-origin" if sec_fetch_site else not origin or urlsplit(origin).netloc in ours
    if not (x_flyte_tab and is_json and here):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This has to be asked for from the tab itself.")


FromThePage = Depends(_from_the_page)
"""Refuses what does not come from the tab."""
