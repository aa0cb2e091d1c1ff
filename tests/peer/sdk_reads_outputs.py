"""Outputs as the real Flyte SDK reads them; run by the SDK's own Python: ``sdk_reads_outputs.py ENDPOINT NAME...``."""

from __future__ import annotations

import json
import sys

import flyte
import flyte.remote

endpoint, *names = sys.argv[1:]
flyte.init(endpoint=f"dns:///{endpoint}", insecure=True, org="testorg", project="flytesnacks", domain="development")
json.dump({name: list(flyte.remote.Run.get(name).outputs()) for name in names}, sys.stdout)
