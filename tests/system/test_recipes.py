"""The recipes of docs/images.md and README.md, and examples/compose and examples/kubernetes, run as containers.

The images are made by tests/system/dockerfile.py, on stand-ins: root file systems with this machine's Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.system import proc
from tests.system.documents import Block, blocks
from tests.system.pilot import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.containers import Engine, Images, Network
    from tests.system.dockerfile import Image
    from tests.system.servers import Consul

PAGE = ROOT / "docs" / "images.md"
COMPOSE = ROOT / "examples" / "compose"
KUBERNETES = ROOT / "examples" / "kubernetes"
PROGRAM = ["python3", "/usr/local/bin/containerpilot.pyz"]

BLOCKS = blocks()
RECIPES = [block for block in BLOCKS if block.language == "dockerfile"]


def name_of(block: Block) -> str:
    return block.comment.removeprefix("image: ") or block.page.stem


@pytest.fixture
def built(images: Images, alpine_image: Image, built_archive: Path, tmp_path: Path) -> Any:
    """`built(recipe)`: its image, made with the files that the page shows, the program, and its sum."""

    def build(recipe: Block) -> Image:
        folder = tmp_path / "context"
        folder.mkdir()
        for block in BLOCKS:
            if block.page == recipe.page and block.file:
                (folder / block.file).write_text(block.text)
        shutil.copy2(built_archive, folder / "containerpilot.pyz")
        digest = hashlib.sha256(built_archive.read_bytes()).hexdigest()
        (folder / "containerpilot.pyz.sha256").write_text(f"{digest}  containerpilot.pyz\n")
        return images.build(recipe.text, folder)

    return build


# --- recipes


def test_there_is_a_recipe_for_each_kind_of_image() -> None:
    names = [name_of(recipe) for recipe in RECIPES]
    assert names == ["README", "slim", "alpine", "debian", "ubi", "distroless", "scratch", "locked", "verified"]


@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_a_recipe_runs_the_application_at_pid_1(recipe: Block, built: Any, engine: Engine) -> None:
    image = built(recipe)
    network = engine.network()
    container = engine.run(image, network, **run_options(name_of(recipe)))

    container.wait_for(lambda: network.get("127.0.0.1:8000")[0] == 200, "an answer of the application")
    container.wait_until_healthy(*(image.health or (*image.entrypoint, "-ping")))
    jobs = container.exec(*PROGRAM, "-jobs").stdout

    assert re.search(r"^app +running +\d", jobs, re.M), jobs
    assert "containerpilot.pyz" in proc.command_line(container.pid)
    assert container.stop() == 143, container.output()


def run_options(name: str) -> dict[str, Any]:
    """The options of `docker run` on the page for the image with this name, as options of `Container`."""
    lines = [block.text.split() for block in BLOCKS if block.page == PAGE and block.language == "sh"]
    found = [line[2:-1] for line in lines if line[:2] == ["docker", "run"] and line[-1] == name]
    options: dict[str, Any] = {}
    words = iter(found[0] if found else [])
    for word in words:
        match word:
            case "--read-only":
                options["read_only"] = True
            case "--tmpfs":
                options["tmpfs"] = [next(words)]
            case "--cap-drop":
                assert next(words) == "ALL"
                options["drop"] = True
            case "--security-opt":
                assert next(words) == "no-new-privileges"
            case _:
                pytest.fail(f"the test does not know {word}")
    return options


def test_the_options_of_docker_run_are_those_of_the_recipe_without_rights() -> None:
    assert run_options("locked") == {"read_only": True, "tmpfs": ["/tmp"], "drop": True}


def locked() -> Block:
    return next(recipe for recipe in RECIPES if name_of(recipe) == "locked")


def test_a_container_without_rights_has_none(built: Any, engine: Engine) -> None:
    container = engine.run(built(locked()), **run_options("locked"))
    container.wait_until_healthy()

    status = container.exec("cat", "/proc/1/status").stdout
    written = container.exec("touch", "/srv/file")

    assert re.search(r"^CapBnd:\s0+$", status, re.M), status
    assert re.search(r"^CapEff:\s0+$", status, re.M), status
    assert re.search(r"^NoNewPrivs:\s1$", status, re.M), status
    assert re.search(f"^Uid:\\s{10001 if os.geteuid() == 0 else 0}\\s", status, re.M), status
    assert "Read-only file system" in written.stderr


def test_without_a_place_for_the_socket_the_application_runs(built: Any, engine: Engine) -> None:
    network = engine.network()
    options = {**run_options("locked"), "tmpfs": []}
    container = engine.run(built(locked()), network, **options)

    container.wait_for_line("cannot serve a control socket in any of the usual places")
    container.wait_for(lambda: network.get("127.0.0.1:8000")[0] == 200, "an answer of the application")

    assert "`cannot serve a control socket in any of the usual places`" in PAGE.read_text()


def test_a_hook_leaves_its_message_to_kubernetes(alpine_image: Image, engine: Engine, tmp_path: Path) -> None:
    [config] = [block.text for block in BLOCKS if block.page == PAGE and block.file == "termination.json5"]
    message = tmp_path / "message"
    message.touch()

    container = engine.run(
        alpine_image, env={"CONTAINERPILOT": config}, binds={message: "/dev/termination-log"}, command=[]
    )

    assert container.wait_exit() == 7, container.output()
    assert message.read_text() == "app has ended\n"


def test_a_python_without_http_refuses_consul_in_the_words_of_the_page(built: Any, engine: Engine) -> None:
    image = built(locked())
    config = '{"consul": "consul:8500", "backends": [{"name": "web", "poll": 5, "onChange": "true"}]}'
    program = " ".join(PROGRAM)
    script = f"cd /usr/local/lib/python3*/ && rm -r http json queue.py && exec {program} -config '{config}' true"

    container = engine.run(image, entrypoint=["sh", "-c", script], command=[], user="0")

    assert container.wait_exit() == 1
    first_line = container.output().splitlines()[0]
    assert f"`{first_line[first_line.index('cannot speak HTTP') :]}`" in PAGE.read_text()


# --- examples/compose


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((COMPOSE / "compose.yaml").read_text()))


def compose_options(service: dict[str, Any], consul: Consul) -> dict[str, Any]:
    """A service of compose.yaml as options of `Container`, except that Consul is at its unix socket."""
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == [".:/srv:ro"]
    assert service["environment"]["CONSUL"] == "consul:8500"
    return {
        "command": service.get("command", []),
        "env": {**service["environment"], **consul_env(consul)},
        "user": service["user"],
        "workdir": service["working_dir"],
        "read_only": service["read_only"],
        "tmpfs": service["tmpfs"],
        "binds": {COMPOSE: "/srv", consul.socket.parent: "/consul"},
        "drop": True,
    }


def consul_env(consul: Consul) -> dict[str, str]:
    return {"CONSUL": f"unix:///consul/{consul.socket.name}"}


def test_the_front_of_the_compose_file_follows_web(
    alpine_image: Image, engine: Engine, consul: Consul, tmp_path: Path
) -> None:
    services, network = compose()["services"], engine.network()
    consul.socket.chmod(0o666)
    consul.socket.parent.chmod(0o755)

    front = engine.run(alpine_image, network, **compose_options(services["front"], consul))
    program, *check = services["front"]["healthcheck"]["test"]
    assert program == "CMD"
    front.wait_until_healthy(*check)
    assert network.get("127.0.0.1:8080") == (503, "no web is there")

    web = engine.run(alpine_image, network, **compose_options(services["web"], consul))
    consul.wait_until_passing("web")
    web.wait_until_healthy()
    front.wait_for(lambda: network.get("127.0.0.1:8080") == (200, "hello from box1"), "what web says")

    assert web.stop() == 143, web.output()
    front.wait_for(lambda: network.get("127.0.0.1:8080")[0] == 503, "that web is gone")
    assert "web does not answer" not in network.get("127.0.0.1:8080")[1]
    assert front.stop() == 143, front.output()
    consul.wait_until_passing("front", 0)


@pytest.mark.parametrize("name", ["web", "front"])
def test_compose_gives_a_stop_all_the_time_that_it_may_take(name: str) -> None:
    service = compose()["services"][name]
    config = (COMPOSE / service["environment"]["CONTAINERPILOT"].removeprefix("/srv/")).read_text()
    [longest] = re.findall(r"shutdownTimeout\"?: \"(\d+)s\"", config)

    assert int(longest) + 2 <= seconds(service["stop_grace_period"])
    assert service["init"] is False


def test_compose_builds_the_image_of_this_repository() -> None:
    for name in ("web", "front"):
        build = compose()["services"][name]["build"]
        assert (COMPOSE / build["context"] / build["dockerfile"]).resolve() == ROOT / "Dockerfile.alpine"


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


# --- examples/kubernetes


class Pod:
    """The Deployment of examples/kubernetes/web.yaml, as a container."""

    def __init__(self, text: str) -> None:
        manifests = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(text)}
        self.files: dict[str, str] = manifests["ConfigMap"]["data"]
        self.spec: dict[str, Any] = manifests["Deployment"]["spec"]["template"]["spec"]
        [self.container] = self.spec["containers"]
        self._config_map = manifests["ConfigMap"]["metadata"]["name"]
        labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
        assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels

    def env(self) -> dict[str, str]:
        """As the kubelet of the node 10.0.0.1 makes it."""
        found: dict[str, str] = {}
        for each in self.container["env"]:
            if "valueFrom" in each:
                assert each["valueFrom"] == {"fieldRef": {"fieldPath": "status.hostIP"}}
                found[each["name"]] = "10.0.0.1"
            else:
                found[each["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], each["value"])
        return found

    def options(self, folder: Path) -> dict[str, Any]:
        """Those of `Container`; files of the ConfigMap are put into the folder."""
        binds, tmpfs = {}, []
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            volume = volumes.pop(mount["name"])
            if "emptyDir" in volume:
                tmpfs.append(mount["mountPath"])
            else:
                assert volume["configMap"] == {"name": self._config_map}
                files = folder / "config"
                files.mkdir()
                for name, text in self.files.items():
                    (files / name).write_text(text)
                binds[files] = mount["mountPath"]
        assert not volumes
        context, pod_context = self.container["securityContext"], self.spec["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert pod_context["runAsNonRoot"]
        return {
            "entrypoint": self.container["command"],
            "command": self.container.get("args", []),
            "env": self.env(),
            "user": f"{pod_context['runAsUser']}:{pod_context['runAsGroup']}",
            "read_only": context["readOnlyRootFilesystem"],
            "tmpfs": tmpfs,
            "binds": binds,
            "drop": True,
        }

    def probe(self, kind: str, network: Network) -> int:
        """The status of the answer to a probe."""
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        get = self.container[kind]["httpGet"]
        return network.get(f"10.0.0.5:{ports[get['port']]}", get["path"])[0]


@pytest.fixture
def pod() -> Pod:
    return Pod((KUBERNETES / "web.yaml").read_text())


def test_the_pod_is_ready_when_its_application_is_and_leaves_consul_first(
    pod: Pod, alpine_image: Image, engine: Engine, consul: Consul, tmp_path: Path
) -> None:
    network = engine.network()
    options = pod.options(tmp_path)
    assert options["env"]["CONSUL"] == "10.0.0.1:8500"
    consul.socket.chmod(0o666)
    consul.socket.parent.chmod(0o755)
    options["env"].update(consul_env(consul))
    options["binds"][consul.socket.parent] = "/consul"
    container = engine.run(alpine_image, network, **options)

    container.wait_for(lambda: pod.probe("livenessProbe", network) == 200, "life")
    early = pod.probe("startupProbe", network), network.get("10.0.0.5:8000")[0]
    container.wait_for(lambda: pod.probe("readinessProbe", network) == 200, "readiness")
    assert early[0] == 503 or early[1] == 200
    [entry] = consul.wait_until_passing("web")
    assert (entry["Address"], entry["Port"]) == ("10.0.0.5", 8000)

    os.kill(container.pid, 15)
    consul.wait_until_passing("web", 0)
    assert pod.probe("readinessProbe", network) == 503
    assert pod.probe("livenessProbe", network) == 200
    assert network.get("10.0.0.5:8000") == (200, "hello from box1")
    assert container.wait_exit() == 143, container.output()


def test_the_pod_gives_a_stop_all_the_time_that_it_may_take(pod: Pod) -> None:
    [longest] = re.findall(r'shutdownTimeout: "(\d+)s"', pod.files["app.json5"])

    assert int(longest) + 2 <= pod.spec["terminationGracePeriodSeconds"]


def test_kubernetes_gets_the_fault_of_a_configuration_from_the_log(
    pod: Pod, alpine_image: Image, engine: Engine, tmp_path: Path
) -> None:
    pod.files["app.json5"] = pod.files["app.json5"].replace("shutdownTimeout", "shutdownTimout")
    assert pod.container["terminationMessagePolicy"] == "FallbackToLogsOnError"

    container = engine.run(alpine_image, **pod.options(tmp_path))

    assert container.wait_exit() == 1
    assert "unknown key (did you mean 'shutdownTimeout'?)" in container.output().splitlines()[-1]
