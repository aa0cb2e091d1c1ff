"""Whom Flyte notifies: what may be given, and what is refused, without any address in the error."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.client import Launch
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.flows.launch_request import run_spec
from airflow_provider_flyte.client.notifications import inline_rules

URL = "https://hooks.example.com/made-up-secret"
WEBHOOK = {"on_phase": "FAILED", "webhook": {"url": URL, "headers": {"X-Key": "made-up-secret"}, "body": {"text": "✓"}}}


def sent(*notifications: Any) -> Any:
    return run_spec(Launch("demo.train", notifications=notifications), None, "").notification_rules.rules


def test_a_delivery_that_flyte_knows() -> None:
    [rule] = sent({"on_phase": ("FAILED", "TIMED_OUT"), "delivery": "oncall"})
    assert (list(rule.on_phases), rule.delivery_config_name) == ([6, 8], "oncall")


def test_an_email() -> None:
    given = {"recipients": ["a@example.com", "b@example.com"], "cc": "c@example.com", "subject": "{{.Phase}}"}
    [rule] = sent({"on_phase": "SUCCEEDED", "email": given})
    email = rule.delivery_template.email
    assert [each.address for each in email.to] == ["a@example.com", "b@example.com"]
    assert ([each.address for each in email.cc], list(email.bcc)) == (["c@example.com"], [])
    assert email.inline.subject == "{{.Phase}}"
    assert "{{.Error}}" in email.inline.text_template
    assert email.inline.html_template


def test_a_webhook() -> None:
    first, second = sent(WEBHOOK, {"on_phase": "ABORTED", "webhook": {"url": URL, "method": "PUT", "body": "text"}})
    webhook = first.delivery_template.webhook
    assert (webhook.url, webhook.method, dict(webhook.headers)) == (URL, 3, {"X-Key": "made-up-secret"})
    assert webhook.body_template == '{"text": "\\u2713"}'
    assert (second.delivery_template.webhook.method, second.delivery_template.webhook.body_template) == (4, "text")


def test_a_launch_does_not_show_them() -> None:
    assert "made-up-secret" not in repr(Launch("demo.train", notifications=[WEBHOOK]))


SECRET: Any = "made-up-secret"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (SECRET, "notifications is a str. Give a list of dicts"),
        ({"on_phase": "FAILED"}, "notifications is a dict. Give a list of dicts"),
        (7, "notifications is a int"),
        ([SECRET], r"notifications\[0\] is a str. Give a dict with on_phase, delivery, email, webhook"),
        ([WEBHOOK, {}], r"notifications\[1\] has no 'on_phase'"),
        ([{"on_phase": "RUNNING", "delivery": "a"}], "has 'RUNNING'; give one or more of SUCCEEDED, FAILED"),
        ([{"on_phase": [], "delivery": "a"}], r"\['on_phase'\] is empty"),
        ([{"on_phase": 6, "delivery": "a"}], r"\['on_phase'\] is a int"),
        ([{"on_phase": "FAILED"}], "has no way to notify; give one of delivery, email, webhook"),
        ([{"on_phase": "FAILED", "delivery": "a", "email": {}}], "has delivery and email; give one of"),
        ([{"on_phase": "FAILED", "slack": SECRET}], "has the key 'slack'"),
        ([{"on_phase": "FAILED", "delivery": " "}], r"\['delivery'\] is a str. Give a string"),
        ([{"on_phase": "FAILED", "email": SECRET}], r"\['email'\] is a str. Give a dict"),
        ([{"on_phase": "FAILED", "email": {}}], r"\['email'\] has no 'recipients'"),
        ([{"on_phase": "FAILED", "email": {"recipients": [SECRET, 7]}}], r"\['recipients'\] is a int"),
        ([{"on_phase": "FAILED", "email": {"recipients": SECRET, "body": None}}], r"\['body'\] is a NoneType"),
        ([{"on_phase": "FAILED", "webhook": {"url": SECRET}}], r"\['url'\] is no address"),
        ([{"on_phase": "FAILED", "webhook": {"url": URL, "method": "post"}}], "is 'post'; give one of GET"),
        ([{"on_phase": "FAILED", "webhook": {"url": URL, "headers": [SECRET]}}], r"\['headers'\] is a list"),
        ([{"on_phase": "FAILED", "webhook": {"url": URL, "headers": {"A": 1}}}], r"\['headers'\] is a int"),
        ([{"on_phase": "FAILED", "webhook": {"url": URL, "body": {1, 2}}}], r"\['body'\] is no JSON"),
        ([{"on_phase": "FAILED", "webhook": {"url": URL + "\ud800"}}], "lone surrogate"),
        ([{"on_phase": "FAILED", "webhook": {"url": URL, "body": "made-up-secret\ud800"}}], "lone surrogate"),
    ],
    ids=str,
)
def test_what_is_refused(given: Any, says: str) -> None:
    for check in (inline_rules, lambda given: Launch("demo.train", notifications=given)):
        with pytest.raises(ConfigError, match=says) as refused:
            check(given)
        assert "made-up-secret" not in str(refused.value)


def test_not_together_with_a_rule_of_flytes() -> None:
    with pytest.raises(ConfigError, match="notification_rule and notifications exclude each other"):
        Launch("demo.train", notifications=[WEBHOOK], notification_rule="oncall")
