"""Parts of a release besides the program: its native files, its hash, its bill of materials, its Pythons."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.pilot import PATH, ROOT
from tests.system.scripts import forever, mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot_fixtures import StartPilot

CHURNING = Path(__file__).parent / "catalog" / "churning.py"
NATIVE = "/memfd:orjson"
UUID = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


# --- orjson


@pytest.fixture(scope="module")
def churning() -> Iterator[str]:
    """A Consul whose service `large` has instances of 280 KB, and whose others have 3 of them."""
    with subprocess.Popen(
        [sys.executable, str(CHURNING), "3", "400"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
        process.communicate("")


def watching(consul: str, name: str) -> dict[str, Any]:
    return {"consul": consul, "backends": [{"name": name, "poll": 1, "onChange": mark("changed")}]}


def memory_map(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.smoke
def test_large_answers_are_parsed_by_orjson_out_of_the_archive(pilot: StartPilot, churning: str) -> None:
    started = pilot(watching(churning, "large"), forever())

    started.wait_for_mark("changed", 2)

    assert NATIVE in memory_map(started.pid)
    assert started.stop() == 143
    assert "Traceback" not in started.output() + started.errors()


def test_small_answers_do_not_load_it(pilot: StartPilot, churning: str) -> None:
    started = pilot(watching(churning, "small"), forever())

    started.wait_for_mark("changed", 2)

    assert NATIVE not in memory_map(started.pid)


def test_failure_to_load_it_has_no_effect(pilot: StartPilot, churning: str) -> None:
    """Without /proc there is no file that the dynamic loader could open. (What the hooks say has the time of boot.)"""
    mount = 'up=$(cat /proc/uptime) && mount -t tmpfs none /proc && echo "$up" >/proc/uptime && exec "$@"'
    hide = ("/bin/sh", "-c", mount, "sh")
    started = pilot(watching(churning, "large"), forever(), init=True, prefix=hide)

    started.wait_for_mark("changed", 2)

    assert NATIVE not in memory_map(started.pid)
    assert "orjson" not in started.output() + started.errors()


# --- hash and bill of materials


def test_hash_beside_the_archive_is_that_of_it(built_archive: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", f"{built_archive.name}.sha256"],
        cwd=built_archive.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, f"{built_archive.name}: OK\n")


@pytest.fixture
def bill(built_archive: Path) -> Any:
    return json.loads(built_archive.with_suffix(".cdx.json").read_bytes())


def test_bill_of_materials_is_about_this_archive(built_archive: Path, bill: Any) -> None:
    digest = built_archive.with_name(f"{built_archive.name}.sha256").read_text().split()[0]
    completed = subprocess.run([sys.executable, built_archive, "-version"], capture_output=True, text=True, check=True)
    version, commit = re.findall(r"(?:Version|GitHash): (.*)", completed.stdout)
    about = bill["metadata"]["component"]

    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(UUID, bill["serialNumber"])
    assert (about["type"], about["name"], about["version"]) == ("application", "containerpilot", version)
    assert about["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert [each["value"] for each in about["properties"]] == [commit] * bool(commit)


def test_bill_of_materials_names_all_that_is_in_the_archive(built_archive: Path, bill: Any) -> None:
    with zipfile.ZipFile(built_archive) as archive:
        folders = {name.split("/")[1] for name in archive.namelist() if name.startswith("site-packages/")}
    parts = [bill["metadata"]["component"], *bill["components"]]

    assert {f"{each['name']}-{each['version']}.dist-info" for each in parts} == folders
    for each in parts:
        assert each["licenses"][0].keys() <= {"license", "expression"}, each["name"]
    refs = [each["bom-ref"] for part in parts for each in (part, *part.get("components", ())) if "bom-ref" in each]
    assert len(refs) == len(set(refs))
    assert {each["ref"] for each in bill["dependencies"]} == set(refs)


def test_hashes_in_the_bill_of_materials_are_those_of_the_locks(bill: Any) -> None:
    locks = "".join((ROOT / "build" / name).read_text() for name in ("requirements.lock", "orjson.lock"))

    wheels = [each for part in bill["components"] for each in (part, *part.get("components", ()))]
    wheels = [each for each in wheels if "purl" not in each or each["purl"].startswith("pkg:pypi/")]
    for each in wheels:
        for digest in each.get("hashes", ()):
            assert f"sha256:{digest['content']}" in locks, each["name"]
    assert {"urllib3", "h11"} <= {each["name"] for each in wheels if "hashes" in each}
    assert {each["name"].split("-")[0] for each in wheels if each["type"] == "file"} == {"orjson"}


# --- a release


def test_release_without_all_pythons_is_not_built(tmp_path: Path) -> None:
    for folder in ("cp", "build"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "LICENSE", tmp_path)
    (tmp_path / "bin").mkdir()
    this = "{}.{}".format(*sys.version_info)

    done = subprocess.run(
        [sys.executable, "-m", "build.archive", "--release", "no-packages", "no-wheels", "dist/built.pyz"],
        env={"PATH": str(tmp_path / "bin"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    missing = [f"3.{minor}" for minor in range(10, 16) if f"3.{minor}" != this]
    assert done.returncode == 1
    assert done.stderr == (
        f"cannot build the archive: a release needs CPython {', '.join(missing[:-1])} and {missing[-1]}, "
        "and neither this machine nor its distribution's packages have it; put python3.X on PATH or name its path in "
        "PYTHONS (uv, pyenv and the official images have every version)\n"
    )
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("arguments", [["--relase"], ["--release", "now"]], ids=" ".join)
def test_misspelt_option_of_the_build_is_refused(arguments: list[str]) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "build-zipapp.sh"), *arguments],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert f"cannot understand `{' '.join(arguments)}`" in done.stderr
