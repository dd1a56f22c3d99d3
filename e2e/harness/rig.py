"""Ways to a Kubernetes cluster, each with the faults it can make: the rig beside the checkout, Kind,
or whatever ``KUBECONFIG`` names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, Protocol

from e2e.harness.kubectl import Failed, Kube, run

ROOT: Final = Path(__file__).resolve().parents[2]
NAME: Final = "everwhen-e2e"


class CannotHere(Exception):
    """This way has no such fault; says why."""


class Rig(Protocol):
    """A cluster of at least three nodes and what may be done to it."""

    name: str
    kube: Kube

    def load(self, dockerfile: str, image: str, source: Path = ROOT) -> None:
        """Build an image of ``source`` and bring it to every node."""

    def crash(self, pod: str, namespace: str) -> None:
        """kill -9 of a pod's processes."""

    def kill_node(self, node: str) -> None:
        """A power cut."""

    def start_node(self, node: str) -> None:
        """Power on again."""

    def cut_node(self, node: str) -> None:
        """Off the network."""

    def heal_node(self, node: str) -> None:
        """On the network again."""

    def pause_node(self, node: str) -> None:
        """Every process of its pods stands still."""

    def resume_node(self, node: str) -> None:
        """They go on."""

    def stop_api(self) -> None:
        """The API server is away."""

    def start_api(self) -> None:
        """It is back."""

    def lose_volume(self, node: str, volume: str) -> None:
        """What is on a volume is gone."""

    def down(self) -> None:
        """Remove what was made."""


class SharedRig:
    """The rig beside the checkout: a real Kubernetes without Docker."""

    name = "shared rig"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = Path(os.environ.get("RIG_DIR", "/tmp/rig"))
        self._made = not (self._state / "pid").exists()
        if self._made:
            self._cluster("up", "--nodes", "3")
        self.kube = Kube(self._state / "kubeconfig", Path(self._cluster("path").strip()))

    def _cluster(self, *arguments: str) -> str:
        return run(str(self._folder / "cluster"), *arguments)

    def load(self, dockerfile: str, image: str, source: Path = ROOT) -> None:
        """See ``Rig``."""
        file = str(source / dockerfile)
        printed = run(str(self._folder / "image"), "build", image, str(source), "--file", file)
        self._cluster("load", printed.split()[-1])

    def crash(self, pod: str, namespace: str) -> None:
        """See ``Rig``."""
        self._cluster("crash", pod, "-n", namespace)

    def kill_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cluster("kill", node)

    def start_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cluster("start", node)

    def cut_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cluster("cut", node)

    def heal_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cluster("heal", node)

    def pause_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cluster("pause", node)

    def resume_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cluster("resume", node)

    def stop_api(self) -> None:
        """See ``Rig``."""
        self._cluster("api-down")

    def start_api(self) -> None:
        """See ``Rig``."""
        self._cluster("api-up")

    def lose_volume(self, node: str, volume: str) -> None:
        """See ``Rig``. The folder stays, as an empty disk does."""
        folder = self._state / node / "volumes" / volume
        for each in folder.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink()

    def down(self) -> None:
        """See ``Rig``. A cluster that was there before stays."""
        if self._made:
            self._cluster("down")


class Existing:
    """Any cluster by its kubeconfig. Images must be where it can pull them; only pods can be hurt."""

    name = "kubeconfig"

    def __init__(self, kubeconfig: Path) -> None:
        self.kube = Kube(kubeconfig)

    def load(self, dockerfile: str, image: str, source: Path = ROOT) -> None:
        """See ``Rig``."""
        print(f"{image}: expected to be pullable by the cluster")

    def crash(self, pod: str, namespace: str) -> None:
        """See ``Rig``. By a container beside it, which sees its processes."""
        self.kube(
            "debug", pod, "-n", namespace, "--target=everwhen", "--image=busybox", "--profile=sysadmin",
            "--", "kill", "-9", "1",
        )  # fmt: skip

    def _cannot(self, what: str) -> None:
        raise CannotHere(f"{what}: not possible with nothing but a kubeconfig")

    def kill_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cannot("kill a node")

    def start_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cannot("start a node")

    def cut_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cannot("cut a node off")

    def heal_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cannot("heal a node")

    def pause_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cannot("freeze a node")

    def resume_node(self, node: str) -> None:
        """See ``Rig``."""
        self._cannot("resume a node")

    def stop_api(self) -> None:
        """See ``Rig``."""
        self._cannot("stop the API server")

    def start_api(self) -> None:
        """See ``Rig``."""
        self._cannot("start the API server")

    def lose_volume(self, node: str, volume: str) -> None:
        """See ``Rig``."""
        self._cannot("empty a volume")

    def down(self) -> None:
        """See ``Rig``."""


class Kind(Existing):
    """A Kind cluster of four containers, made here and removed at the end."""

    name = "kind"

    def __init__(self) -> None:
        config = ROOT / "e2e" / "kind.yaml"
        run("kind", "create", "cluster", "--name", NAME, "--config", str(config), "--wait", "120s")
        kubeconfig = ROOT / "build" / "kind-kubeconfig"
        kubeconfig.parent.mkdir(exist_ok=True)
        kubeconfig.write_text(run("kind", "get", "kubeconfig", "--name", NAME), encoding="utf-8")
        super().__init__(kubeconfig)

    def load(self, dockerfile: str, image: str, source: Path = ROOT) -> None:
        """See ``Rig``."""
        run("docker", "build", "--file", str(source / dockerfile), "--tag", image, str(source))
        run("kind", "load", "docker-image", image, "--name", NAME)

    def crash(self, pod: str, namespace: str) -> None:
        """See ``Rig``."""
        found = self.kube.get("pod", pod, namespace)
        if found is None:
            raise Failed(f"there is no pod {pod}")
        container = found["status"]["containerStatuses"][0]["containerID"].split("//")[1]
        node = found["spec"]["nodeName"]
        look = ("crictl", "inspect", "-o", "go-template", "--template", "{{.info.pid}}", container)
        pid = run("docker", "exec", node, *look).strip()
        run("docker", "exec", node, "kill", "-9", pid)

    def kill_node(self, node: str) -> None:
        """See ``Rig``."""
        run("docker", "kill", node)

    def start_node(self, node: str) -> None:
        """See ``Rig``."""
        run("docker", "start", node)

    def cut_node(self, node: str) -> None:
        """See ``Rig``."""
        run("docker", "network", "disconnect", "kind", node)

    def heal_node(self, node: str) -> None:
        """See ``Rig``."""
        run("docker", "network", "connect", "kind", node)

    def pause_node(self, node: str) -> None:
        """See ``Rig``."""
        run("docker", "pause", node)

    def resume_node(self, node: str) -> None:
        """See ``Rig``."""
        run("docker", "unpause", node)

    def stop_api(self) -> None:
        """See ``Rig``."""
        run("docker", "pause", f"{NAME}-control-plane")

    def start_api(self) -> None:
        """See ``Rig``."""
        run("docker", "unpause", f"{NAME}-control-plane")

    def lose_volume(self, node: str, volume: str) -> None:
        """See ``Rig``."""
        script = f"find /var/local-path-provisioner/{volume}* -mindepth 1 -delete"
        run("docker", "exec", node, "sh", "-c", script)

    def down(self) -> None:
        """See ``Rig``."""
        run("kind", "delete", "cluster", "--name", NAME)


def choose() -> Rig:
    """``E2E_RIG`` (shared, kind or kubeconfig); else the rig beside the checkout, else Kind.

    :raises Failed: there is none of them.
    """
    folder = Path(os.environ.get("SHARED", ROOT.parent / "shared")) / "kube"
    wanted = os.environ.get("E2E_RIG") or ("shared" if (folder / "cluster").exists() else "kind")
    if wanted == "shared":
        return SharedRig(folder)
    if wanted == "kubeconfig":
        return Existing(Path(os.environ["KUBECONFIG"]))
    if shutil.which("kind") is None or shutil.which("docker") is None:
        raise Failed("end-to-end tests need kind and docker, or E2E_RIG=kubeconfig and KUBECONFIG")
    return Kind()
