"""What decides whether something is built again."""

from __future__ import annotations

import dataclasses

import pytest

from hack.cluster import build
from hack.cluster.errors import ClusterError

KUBERNETES = build.module_of("kubelet")


def test_versions_are_stamped_in_both_packages() -> None:
    flags = KUBERNETES.flags()[-1]
    version = KUBERNETES.version()
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion={version} " in flags
        assert f"-X {package}.gitMinor={version.split('.')[1]} " in flags


@pytest.mark.parametrize("module", build.MODULES, ids=lambda module: module.name)
def test_every_module_pins_its_upstream(module: build.GoModule) -> None:
    assert module.version().startswith("v")
    assert (module.sources / "go.sum").exists()


def test_the_key_follows_toolchain_programs_and_flags() -> None:
    key = build.inputs_digest(KUBERNETES, "go1")
    assert key == build.inputs_digest(KUBERNETES, "go1")
    assert key != build.inputs_digest(KUBERNETES, "go2")
    assert key != build.inputs_digest(dataclasses.replace(KUBERNETES, stamps=()), "go1")
    assert key != build.inputs_digest(dataclasses.replace(KUBERNETES, programs={"kubelet": "x"}), "go1")


def test_all_staging_modules_are_replaced_by_the_release_of_kubernetes() -> None:
    release = KUBERNETES.version().replace("v1.", "v0.", 1)
    text = (KUBERNETES.sources / "go.mod").read_text()
    replaced = [line.split()[-1] for line in text.splitlines() if "=>" in line]
    assert len(replaced) == 33
    assert set(replaced) == {release}


def test_an_unknown_program_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ClusterError, match=r"no program named 'kubeadm'.*there are: .*kubectl"):
        build.module_of("kubeadm")
