"""The real Flyte SDK at a local server; run by the SDK's own Python.

``sdk_fires.py ENDPOINT RUN``: fires the trigger ``nightly`` of ``demo.train`` as it is, and with another input;
prints the names of the two runs and the log of RUN as JSON.
"""

from __future__ import annotations

import json
import sys

import flyte
from flyte.remote import RunDetails
from flyte.remote._logs import Logs
from flyte.remote._trigger import TriggerDetails


def main(endpoint: str, run: str) -> None:
    flyte.init(endpoint=f"dns:///{endpoint}", insecure=True, org="testorg", project="flytesnacks", domain="development")
    trigger = TriggerDetails.get(name="nightly", task_name="demo.train")
    plain = flyte.run(trigger)
    by_hand = flyte.with_runcontext(labels={"kind": "by-hand"}, env_vars={"B": "3"}, custom_context={"b": "3"})
    changed = by_hand.run(trigger, rows=8)
    log = [line.message for line in Logs.tail(RunDetails.get(name=run).action_id)]
    json.dump({"plain": plain.name, "changed": changed.name, "log": log}, sys.stdout)


main(*sys.argv[1:])
