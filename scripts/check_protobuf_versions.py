"""Run ``tests/protos/wire_check.py`` on old and new releases of protobuf, each in a throw-away environment.

In every environment our classes are compared with flyteidl2's own, under both implementations of protobuf and with
warnings as errors. protovalidate's requirements refuse an old protobuf that flyteidl2 does run on, so flyteidl2 and it
are installed without their dependencies, in the releases of the environment that runs this.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("4.25.8", "5.29.5", "6.33.*", "7.36.*")
IMPLEMENTATIONS = ("upb", "python")
FLYTE = ("flyteidl2", "protovalidate", "protoc-gen-openapiv2")


def find_uv() -> str:
    """Return the uv of this checkout, or the one on the path."""
    own = ROOT / ".tools" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv is needed: make install, or name it with --uv")
    return found


def check(uv: str, version: str, folder: Path) -> bool:
    """Compare on one release of protobuf, and say how it went."""
    python = folder / "bin" / "python"
    flyte = [f"{name}=={importlib.metadata.version(name)}" for name in FLYTE]
    install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    # Generated code that checks its runtime: the newest release for this protobuf.
    subprocess.run([*install, f"protobuf=={version}", "googleapis-common-protos"], check=True)
    subprocess.run([*install, "--no-deps", *flyte], check=True)
    passed = True
    for implementation in IMPLEMENTATIONS:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation,
        }
        run = subprocess.run(
            [python, "-W", "error", ROOT / "tests" / "protos" / "wire_check.py"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        # The script names the implementation that it got: without one protobuf would silently take another.
        ok = run.returncode == 0 and f" {implementation}," in run.stdout
        print(run.stdout.strip() if ok else f"FAILED on protobuf {version} {implementation}\n{run.stdout}{run.stderr}")
        passed &= ok
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Compare on every release."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", default=VERSIONS, help=f"default: {' '.join(VERSIONS)}")
    parser.add_argument("--uv", help="path of uv")
    options = parser.parse_args(arguments)
    uv = options.uv or find_uv()
    with tempfile.TemporaryDirectory() as folder:
        results = [check(uv, version, Path(folder, str(number))) for number, version in enumerate(options.versions)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
