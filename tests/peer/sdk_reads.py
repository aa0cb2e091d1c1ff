"""Runs as the real Flyte SDK reads them; run by the SDK's own Python: ``sdk_reads.py ENDPOINT NAME...``."""

from __future__ import annotations

import json
import sys

import flyte
import flyte.remote

endpoint, *names = sys.argv[1:]
flyte.init(endpoint=f"dns:///{endpoint}", insecure=True, org="testorg", project="flytesnacks", domain="development")
answered = {}
for name in names:
    details = flyte.remote.RunDetails.get(name)
    answered[name] = {
        "to_dict": details.to_dict(),
        "done": details.done(),
        "name": details.name,
        "task_name": details.task_name,
    }
json.dump(answered, sys.stdout)
