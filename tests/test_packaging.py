"""The wheel: what is in it, and that it adds one distribution to a plain Airflow."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_flyte import DISTRIBUTION, __version__
from scripts.tracked_files import copy_tracked

ROOT = Path(__file__).parents[1]


def uv(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(source: Path, folder: Path) -> dict[str, bytes]:
    """An sdist, and the wheel that is made of it."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source")
    copy_tracked(ROOT, source)
    build(source, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [wheel] = built.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_package_and_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "airflow_provider_flyte/py.typed" in names
    assert {f"airflow_provider_flyte/plugin/static/tab{ending}" for ending in (".html", ".css", ".js")} <= {*names}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.startswith("airflow_provider_flyte/client/idl/workflow/") for name in names)
    examples = {f"airflow_provider_flyte/example_dags/{file.name}" for file in (ROOT / "example_dags").glob("*.py")}
    assert {name for name in names if "/example_dags/" in name} == examples
    assert {name.split("/")[0] for name in names} == {
        "airflow_provider_flyte",
        wheel.name.split("-py3")[0] + ".dist-info",
    }


def test_the_sdist_holds_what_git_has_of_these(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    parts = ["airflow_provider_flyte", "constraints", "example_dags", "protos"]
    files = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "pyproject.toml", ".gitignore", "hatch_build.py"]
    command = ["git", "ls-files", *parts, *files]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert names == {*(name for name in known if (ROOT / name).is_file()), "PKG-INFO"}


def test_what_is_built_has_no_file_that_only_lies_about(tmp_path: Path) -> None:
    clone, copy = tmp_path / "clone", tmp_path / "copy"
    (clone / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "tracked_files.py", clone / "scripts")
    for name in ("kept.py", "gone.py"):
        (clone / name).write_text("1")
    for step in (["init"], ["add", "--all"]):
        subprocess.run(["git", *step], cwd=clone, check=True, capture_output=True)
    (clone / "kept.py").write_text("2")
    (clone / "gone.py").unlink()
    (clone / "secret.py").write_text("3")
    command = [sys.executable, str(clone / "scripts" / "tracked_files.py")]
    subprocess.run([*command, str(copy)], check=True)
    assert {file.name for file in copy.rglob("*.py")} == {"kept.py", "tracked_files.py"}
    assert (copy / "kept.py").read_text() == "2"
    shutil.rmtree(clone / ".git")

    def refusal(**changed: str) -> str:
        env = os.environ | changed
        done = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True, check=False, env=env)
        assert (done.returncode, done.stdout) == (1, "")
        assert not (tmp_path / "none").exists()
        return done.stderr

    what_to_do = "\nWork in a clone, or make one of this folder: `git init && git add --all` in it.\n"
    # Its parents are no clone either.
    alone = refusal(GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert alone.startswith(f"git does not say which files it has in {clone}: ")
    assert alone.endswith(what_to_do)
    subprocess.run(["git", "init"], cwd=tmp_path, check=True, capture_output=True)
    assert refusal() == f"git has no files in {clone}.{what_to_do}"
    assert refusal(PATH="") == "There is no git to ask which files belong to the project: install git.\n"
    made = (ROOT / "Makefile").read_text().partition("\ndist:")[2].partition("\n\n")[0]
    [source] = re.findall(r"tracked_files\.py (\S+)", made)
    assert f"--out-dir dist {source}\n" in f"{made}\n"


def test_the_readme_of_the_index_leads_to_the_repository(tmp_path: Path) -> None:
    """An index has no other file of it, and no headings to lead to."""
    source, folder = tmp_path / "source", tmp_path / "dist"
    copy_tracked(ROOT, source)
    project, address = source / "pyproject.toml", "https://example.com/flyte"
    text = re.sub("^Source = .*\n", "", project.read_text(), flags=re.M)
    project.write_text(text.replace("[project.urls]\n", f'[project.urls]\nSource = "{address}"\n'))
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    [name] = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("/METADATA")]
    shown = str(email.message_from_bytes(zipfile.ZipFile(wheel).read(name)).get_payload())
    link = re.compile(r"\]\(([^)]*)\)")
    here, there = link.findall((ROOT / "README.md").read_text()), link.findall(shown)
    files = f"{address}/blob/v{__version__}/"

    def expected(target: str) -> str:
        if "://" in target:
            return target
        return f"{files}README.md{target}" if target.startswith("#") else files + target

    assert there == [expected(target) for target in here]
    for target in there:
        path, _, _ = target.removeprefix(files).partition("#")
        assert "://" in path or (ROOT / path).exists()
    # Nothing else of it is changed.
    assert link.sub("", shown).strip() == link.sub("", (ROOT / "README.md").read_text()).strip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](docs/x.md#y), ([b](#c))", "[a](S/blob/v1/docs/x.md#y), ([b](S/blob/v1/README.md#c))"),
        ('[`a`](docs/x.md "title"), `b`', '[`a`](S/blob/v1/docs/x.md "title"), `b`'),
        ("![a](docs/a.png)", "![a](S/raw/v1/docs/a.png)"),
        ("[![a](a.svg)](b.md)", "[![a](S/raw/v1/a.svg)](S/blob/v1/b.md)"),
        ("[a](https://b) [c](mailto:d@e) [f](//g/h)", None),
        ("`[a](b)` and `c`\n\n```python\nlinks[0](docs)  # `\n```\n", None),
        ("```\na[0](b)\n```\n[a](b)", "```\na[0](b)\n```\n[a](S/blob/v1/b)"),
    ],
    ids=["links", "title", "picture", "badge", "elsewhere", "code", "after_code"],
)
def test_what_leads_to_the_repository(text: str, shown: str | None) -> None:
    from hatch_build import absolute

    assert absolute(text, "https://s.example/", "1") == (shown or text).replace("S/", "https://s.example/")
    assert absolute(text, "", "1") == text


def test_built_twice_they_are_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """From files of another day with other rights, on which a build must not depend."""
    source = tmp_path / "source"
    copy_tracked(ROOT, source)
    for file in source.rglob("*"):
        file.chmod(0o700 if file.is_dir() else 0o600)
        os.utime(file, (10**9, 10**9))
    assert build(source, tmp_path / "again") == {file.name: file.read_bytes() for file in built.iterdir()}


def test_what_publishes_can_read_the_metadata(built: Path) -> None:
    """The twine in the pinned action refuses whatever is later than 2.4, which hatchling would write by itself."""
    [wheel], [sdist] = built.glob("*.whl"), built.glob("*.tar.gz")
    archive = zipfile.ZipFile(wheel)
    with tarfile.open(sdist) as source:
        [name] = [name for name in source.getnames() if name.endswith("/PKG-INFO")]
        stored = source.extractfile(name)
        assert stored
        texts = [stored.read(), *(archive.read(name) for name in archive.namelist() if name.endswith("/METADATA"))]
    assert [email.message_from_bytes(text)["Metadata-Version"] for text in texts] == ["2.4", "2.4"]


def test_a_release_is_built_with_a_pinned_hatchling() -> None:
    """Another one writes its own version into the wheel, and other metadata: no longer the same bytes."""
    made = (ROOT / "Makefile").read_text().partition("\ndist:")[2].partition("\n\n")[0]
    [pins] = re.findall(r"\(UV\) build .*--build-constraints (\S+)", made)
    assert re.search(r"^hatchling==\S+ \\\n +--hash=", (ROOT / pins).read_text(), re.MULTILINE)


def test_the_sbom_says_which_version_it_is_of() -> None:
    """The tool takes it from pyproject.toml, where it is dynamic; so a copy has it."""
    makefile = (ROOT / "Makefile").read_text()
    [command] = re.findall(r"^\t(sed .* pyproject\.toml) > \.run/released\.toml$", makefile, re.MULTILINE)
    command = command.replace("$$", "$")
    project = subprocess.run(["sh", "-c", command], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert f'\nversion = "{__version__}"\n' in project
    assert "\ndynamic" not in project
    assert "--pyproject .run/released.toml" in makefile


def test_the_readme_installs_what_is_there(wheel: Path) -> None:
    [line] = re.findall(r"^pip install .*", (ROOT / "README.md").read_text(), re.MULTILINE)
    _, _, made, option, constraints = line.split()
    assert (made, option) == (f"dist/{wheel.name}", "--constraint")
    assert (ROOT / constraints).is_file()


def test_the_metadata_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    said = email.message_from_bytes(archive.read(name))
    assert (said["Name"], said["License-Expression"]) == (DISTRIBUTION, "Apache-2.0")
    assert said["Author"]
    assert said.get_all("Project-URL")
    kinds = {classifier.split(" :: ")[0] for classifier in said.get_all("Classifier", [])}
    assert kinds >= {"Framework", "Intended Audience", "Operating System", "Topic", "Typing", "Programming Language"}
    pythons = {text.split(" :: ")[2] for text in said.get_all("Classifier", []) if "Python :: 3." in text}
    # Those that the matrix runs the tests with that meet Airflow; another one may work.
    assert pythons == {"3.10", "3.11", "3.12", "3.13", "3.14"}


@pytest.mark.parametrize("file", sorted((ROOT / "constraints").glob("*.txt")), ids=lambda file: file.stem)
def test_constraints_are_what_the_matrix_installs_without_the_tools(file: Path) -> None:
    title, *lines = file.read_text().splitlines()
    assert title.startswith("# The provider is tested with these beside Airflow")
    assert {*lines} <= {*(ROOT / "requirements" / "matrix" / file.name).read_text().splitlines()}
    names = {line.partition("==")[0] for line in lines}
    assert names >= {"apache-airflow", "grpcio", "httpx", "msgspec", "protobuf", "tenacity"}
    assert not names & {"pytest", "hypothesis", "flyteidl2", DISTRIBUTION}


def test_each_airflow_of_the_matrix_has_constraints() -> None:
    constraints, pins = (
        {file.name for file in (ROOT / folder).glob("airflow-*.txt")}
        for folder in ("constraints", "requirements/matrix")
    )
    assert constraints == pins


def test_both_airflows_are_tested_with_the_same_libraries_under_the_client() -> None:
    """Else the client's own tests, which know no Airflow, would have to run with both."""

    def pins(airflow: str) -> dict[str, str]:
        text = (ROOT / "requirements" / f"airflow-{airflow}.txt").read_text()
        return dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))

    here, there = pins("3.3.2"), pins("2.11.2")
    under = ["grpcio", "h2", "httpcore", "httpx", "msgspec", "protobuf", "tenacity"]
    assert {name: here[name] for name in under} == {name: there[name] for name in under}


@pytest.mark.timeout(300)
def test_the_images_command_adds_one_distribution_to_a_plain_airflow(wheel: Path, tmp_path: Path) -> None:
    """The command of docs/deployment.md's Dockerfile, in an environment with what Airflow's image has of it."""

    def distributions() -> dict[str, str]:
        listed = json.loads(uv("pip", "list", "--python", python, "--format", "json"))
        return {one["name"]: one["version"] for one in listed}

    python = tmp_path / "venv" / "bin" / "python"
    uv("venv", "--seed", "--python", sys.executable, tmp_path / "venv")
    airflow = version("apache-airflow")
    constraints = shutil.copy(ROOT / "constraints" / f"airflow-{airflow}.txt", tmp_path / "constraints.txt")
    uv("pip", "install", "--python", python, f"apache-airflow=={airflow}", "--constraint", constraints)
    before = distributions()
    page = (ROOT / "docs" / "deployment.md").read_text()
    [command] = re.findall(r"^RUN ((?:.*\\\n)*.*)$", page, re.MULTILINE)
    assert f"/tmp/flyte/{wheel.name}" in command
    done = subprocess.run(
        ["sh", "-c", command.replace("/tmp/flyte", str(wheel.parent))],
        env={**os.environ, "HOME": str(tmp_path), "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert distributions() == {**before, DISTRIBUTION: version(DISTRIBUTION)}
