"""What becomes of our log lines where Airflow masks secrets in them."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey

try:
    from airflow.sdk._shared.secrets_masker import SecretsMasker
except ImportError:
    from airflow.utils.log.secrets_masker import SecretsMasker  # type: ignore[no-redef]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (RunKey("flytesnacks", "development", "r1"), "flytesnacks/development/r1"),
        (ProjectDomain("flytesnacks", "development"), "flytesnacks/development"),
    ],
)
def test_a_run_is_logged_by_its_name(monkeypatch: pytest.MonkeyPatch, given: object, words: str) -> None:
    if hasattr(SecretsMasker, "enable_log_masking"):
        monkeypatch.setattr(SecretsMasker, "mask_secrets_in_logs", True)
    else:
        monkeypatch.setattr("airflow.settings.MASK_SECRETS_IN_LOGS", True)
    masker = SecretsMasker()
    masker.add_mask("s3cret-of-somebody")
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "Launched %s of %s", (given, "s3cret-of-somebody"), None)
    masker.filter(record)
    assert record.getMessage() == f"Launched {words} of ***"
