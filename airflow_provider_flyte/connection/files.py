"""Files that a connection names, in the API server: whoever may edit connections must not have it read any file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_flyte.connection.reader import paths_in
from airflow_provider_flyte.settings import READABLE, SECTION

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteConfig


def why_not_opened(config: FlyteConfig, folders: list[Path], who: str) -> str:
    """Why the API server does not open a file that the connection names; '' where it may open all of them.

    :param config: the connection's settings.
    :param folders: below which files may be opened.
    :param who: for whom it would open the file.
    """
    for field, path in paths_in(config).items():
        if not any(Path(path).resolve().is_relative_to(folder) for folder in folders):
            return (
                f"{field} names the file {path}, which {who} does not open. Tasks will. To have it opened there "
                f"too, have its folder named in [{SECTION}] {READABLE.name} of Airflow's configuration, or enter the "
                "text itself."
            )
    return ""
