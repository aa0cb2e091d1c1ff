"""The real Flyte SDK waits for a run; run by the SDK's own Python: ``sdk_waits.py ENDPOINT NAME``."""

from __future__ import annotations

import sys

import flyte
import flyte.remote

endpoint, name = sys.argv[1:]
flyte.init(endpoint=f"dns:///{endpoint}", insecure=True, org="testorg", project="flytesnacks", domain="development")
run = flyte.remote.Run.get(name)
sys.stdout.write("waiting\n")
sys.stdout.flush()
run.wait(quiet=True)
sys.stdout.write("over\n" if flyte.remote.RunDetails.get(name).done() else "not over\n")
