"""``protos/`` is what the pinned flyteidl2 gives, and drift is reported."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import derive_protos
import pytest

RUN_DEFINITION = "flyteidl2/workflow/run_definition.proto"


def test_protos_are_derived_from_the_pinned_release() -> None:
    installed = importlib.metadata.version("flyteidl2")
    assert installed == derive_protos.pinned(), "change the release in protos/README.md and derive, or install that one"
    assert derive_protos.drift(derive_protos.on_disk(), derive_protos.derive()) == []


def test_only_flyte_and_google_packages() -> None:
    for path, text in derive_protos.on_disk().items():
        package = path.rpartition("/")[0].replace("/", ".")
        assert f"\npackage {package};\n" in text
        assert "buf/validate" not in text
        assert "go_package" not in text


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9.9")
    monkeypatch.setattr(Path, "write_text", lambda *args: pytest.fail("nothing may be written"))
    assert derive_protos.main([]) == 1
    assert "flyteidl2 2.9.9 is installed" in capsys.readouterr().err


def test_the_release_must_be_named_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(derive_protos, "PROTOS", tmp_path)
    for text, good in (("    flyteidl2==1\n", True), ("nothing", False), ("    flyteidl2==1\n" * 2, False)):
        (tmp_path / "README.md").write_text(text)
        if good:
            assert derive_protos.pinned() == "1"
        else:
            with pytest.raises(derive_protos.NotDerivable, match="must name one release"):
                derive_protos.pinned()


def test_drift_is_listed_and_does_not_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    before = derive_protos.on_disk()
    before[RUN_DEFINITION] = before[RUN_DEFINITION].replace(
        "message RunDetails {", "message RunDetails {\n  bool old = 9;"
    )
    monkeypatch.setattr(derive_protos, "on_disk", lambda: before)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9.9")
    path = "flyteidl2/project/project_service.proto"
    monkeypatch.setitem(derive_protos.RPCS, path, {"ProjectService": ("GetProject", "ListProjects", "Vanished")})
    monkeypatch.setitem(derive_protos.RPCS, "flyteidl2/no/such.proto", {"Service": ("Method",)})
    assert derive_protos.main(["--drift"]) == 0
    message = capsys.readouterr().out
    assert "installed is 2.9.9" in message
    assert f"\n--- protos/{RUN_DEFINITION}\n" in message
    assert "\n-  bool old = 9;\n" in message
    assert f"\ngone: {path}: ProjectService/Vanished\n" in message
    assert "\ngone: flyteidl2/no/such.proto: Service/Method\n" in message


def test_deriving_refuses_an_rpc_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Path, "write_text", lambda *args: pytest.fail("nothing may be written"))
    monkeypatch.setitem(
        derive_protos.RPCS, "flyteidl2/project/project_service.proto", {"ProjectService": ("Vanished",)}
    )
    assert derive_protos.main([]) == 1
    assert "ProjectService/Vanished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "json_name"), [("run_spec", "runSpec"), ("a", "a"), ("a_1b_", "a1b"), ("a__b", "aB"), ("_a", "A")]
)
def test_json_names_are_protocs(name: str, json_name: str) -> None:
    assert derive_protos._json_name(name) == json_name
