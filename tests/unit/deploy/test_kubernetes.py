"""The Kubernetes manifest: checked against the schema, and what it says fits the daemon."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from milter.settings.read import read_settings
from policies.loader import load
from policies.schema import PolicyFile
from tests.support.postfix import assert_known_to_postfix

if TYPE_CHECKING:
    from pathlib import Path

    from milter.settings.model import Settings

Manifest = dict[str, Any]
# The first version whose sidecar containers are stable, and the newest whose schema is at hand.
_VERSIONS = ("1.33", "1.37")


class _ConfigMap:
    """The files of a ConfigMap, as a source of configuration."""

    def __init__(self, data: dict[str, str]) -> None:
        self._data = data

    def read(self, path: str) -> bytes:
        return self._data[path].encode()


@pytest.fixture
def manifests(checkout: Path) -> list[Manifest]:
    text = (checkout / "deploy/kubernetes/postfix-gatepost.yaml").read_text("utf-8")
    return list(yaml.safe_load_all(text))


def _one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    found = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name]
    assert len(found) == 1
    return found[0]


def _pod(manifests: list[Manifest]) -> Manifest:
    template: Manifest = _one(manifests, "StatefulSet", "gatepost")["spec"]["template"]
    spec: Manifest = template["spec"]
    return spec


def _settings(manifests: list[Manifest]) -> Settings:
    data = _one(manifests, "ConfigMap", "gatepost")["data"]
    return read_settings(_ConfigMap(data), "gatepost.yaml")


@pytest.mark.parametrize("version", _VERSIONS)
def test_manifest_fits_the_schema(manifests: list[Manifest], version: str) -> None:
    validator = pytest.importorskip(
        "kubernetes_validate", reason="needs the package kubernetes-validate"
    )

    for manifest in manifests:
        # Raises at the first mistake; `strict` refuses unknown keys as well.
        used = validator.validate(manifest, version, strict=True)

        assert str(used).startswith(version)


def test_settings_in_the_config_map_load(manifests: list[Manifest]) -> None:
    settings = _settings(manifests)

    assert settings.policies == "policy.yaml"
    assert settings.next_hop.pass_client == "xclient"


def test_policy_in_the_config_map_loads(manifests: list[Manifest]) -> None:
    data = _one(manifests, "ConfigMap", "gatepost")["data"]

    policy, _ = load(_ConfigMap(data), "policy.yaml", PolicyFile)

    assert policy.extends == "balanced"


def test_ports_are_those_of_the_settings(manifests: list[Manifest]) -> None:
    settings = _settings(manifests)
    gatepost = _pod(manifests)["containers"][0]

    ports = {port["name"]: port["containerPort"] for port in gatepost["ports"]}

    assert settings.http is not None
    assert settings.listeners[0].bind == f"0.0.0.0:{ports['smtp']}"
    assert settings.http.bind == f"0.0.0.0:{ports['http']}"


def test_readiness_asks_readyz_and_life_asks_healthz(manifests: list[Manifest]) -> None:
    gatepost = _pod(manifests)["containers"][0]

    paths = {
        name: gatepost[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe")
    }

    assert paths == {"readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def test_pod_has_time_to_drain(manifests: list[Manifest]) -> None:
    pod = _pod(manifests)
    waits = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]

    needed_s = int(waits[-1]) + _settings(manifests).limits.drain_s

    assert waits[0] == "/bin/sleep"
    assert pod["terminationGracePeriodSeconds"] > needed_s


def test_postfix_outlives_gatepost_as_a_sidecar(manifests: list[Manifest]) -> None:
    postfix = _pod(manifests)["initContainers"][-1]

    assert postfix["name"] == "postfix"
    assert postfix["restartPolicy"] == "Always"


def test_every_container_gives_up_what_it_does_not_need(manifests: list[Manifest]) -> None:
    pod = _pod(manifests)
    contexts = [c["securityContext"] for c in (*pod["initContainers"], *pod["containers"])]

    assert all(c["readOnlyRootFilesystem"] for c in contexts)
    assert all(not c["allowPrivilegeEscalation"] for c in contexts)
    assert all(c["capabilities"]["drop"] == ["ALL"] for c in contexts)
    assert pod["containers"][0]["securityContext"]["runAsNonRoot"]


def test_service_keeps_the_address_of_the_client(manifests: list[Manifest]) -> None:
    service = _one(manifests, "Service", "gatepost")["spec"]

    assert service["externalTrafficPolicy"] == "Local"


def test_images_bear_the_version_of_the_project(manifests: list[Manifest], checkout: Path) -> None:
    version = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    pod = _pod(manifests)

    tags = {c["image"].partition(":")[2] for c in (*pod["initContainers"], *pod["containers"])}

    assert tags == {version}


@pytest.mark.debian
def test_postfix_settings_are_known_to_postfix(manifests: list[Manifest], tmp_path: Path) -> None:
    main = _one(manifests, "ConfigMap", "gatepost-postfix")["data"]["main.cf"]
    (tmp_path / "main.cf").write_text(main, "utf-8")
    (tmp_path / "master.cf").write_text("", "utf-8")

    assert_known_to_postfix(tmp_path, "-n")
