"""The modules of each file of bytecode."""

from __future__ import annotations

from pathlib import Path

import pytest

from build import BuildError
from build.blobs import Blob, arrange, pack_rare
from build.entry._bootstrap.importer import RARE, Importer
from build.sources import Source
from build.starts import Notes, Starts, read

IMPORTER = Source("importer.py", Path("importer.py"))
STARTS = Starts(
    subcommand=("cp", "cp.cli"),
    application=("cp", "cp.cli", "cp.plan", "cp.catalog", "cp.app"),
    jobs=("cp.config.jobs", "cp.config.jobs.job", "cp.config.jobs.compiler"),
    others=("cp", "cp.app", "cp.catalog.client", "cp.control"),
    all=(
        "cp",
        "cp.app",
        "cp.catalog",
        "cp.catalog.client",
        "cp.cli",
        "cp.config.jobs",
        "cp.control",
        "cp.later",
        "urllib3",
    ),
)


def source(module: str) -> Source:
    path = module.replace(".", "/") + ".py"
    return Source(path, Path(path))


def arranged(*more: str) -> dict[str, Blob]:
    blobs = arrange(
        IMPORTER, [source(name) for name in sorted({*STARTS.application, *STARTS.jobs, *STARTS.all, *more})], STARTS
    )
    return {blob.name: blob for blob in blobs}


def names(blob: Blob) -> list[str]:
    return [each.module for each in blob.modules]


def test_all_that_a_subcommand_imports_comes_first_behind_the_importer() -> None:
    start = arranged()["start"]

    assert names(start) == ["importer", "cp", "cp.cli"]
    assert start.needed == STARTS.application  # what is executed in one go need not be marshalled one by one


def test_application_has_the_imports_of_starts_in_the_order_of_execution() -> None:
    application = arranged()["application"]

    assert names(application) == ["cp.plan", "cp.catalog", "cp.app", "cp.control"]
    assert application.needed == STARTS.application


def test_everything_else_is_in_the_smallest_package_that_has_it() -> None:
    blobs = arranged("cp.rare", "cp.catalog.rare", "cp.config.template.renderer", "h11.rare")

    assert names(blobs["cp"]) == ["cp.later", "cp.rare"]
    assert names(blobs["cp.catalog"]) == ["cp.catalog.client", "cp.catalog.rare"]
    assert names(blobs["cp.config.template"]) == ["cp.config.template.renderer"]
    assert (names(blobs["h11"]), names(blobs["urllib3"])) == (["h11.rare"], ["urllib3"])
    assert blobs["cp"].needed == blobs["urllib3"].needed == STARTS.all


def test_jobs_dialect_has_a_file_that_is_executed_in_the_order_of_its_start() -> None:
    jobs = arranged("cp.config.jobs.telemetry")["cp.config.jobs"]

    assert {*names(jobs)} == {*STARTS.jobs, "cp.config.jobs.telemetry"}
    assert (jobs.kind, jobs.needed) == ("dialect", STARTS.jobs)


def test_modules_that_no_start_imports_are_rare_and_some_have_no_bytecode() -> None:
    more = ("cp.rare", "cp.ports", "cp.config.reference.key", "cp.catalog.rare", "urllib3.rare", "h11.known")

    assert names(arranged(*more)["rare"]) == ["cp.catalog.rare", "cp.rare"]


def test_rare_module_of_each_python_is_found_again() -> None:
    codes = {
        3439: {"cp.rare": b"old" * 1000, "cp.other": b"?"},
        3666: {"cp.rare": b"new" * 2000, "cp.other": b"!" * 10},
        3495: {"cp.rare": b"between", "cp.other": b"."},
    }
    content = pack_rare(codes)

    assert content == pack_rare(dict(reversed(codes.items())))
    for magic, modules in codes.items():
        importer = Importer("archive", lambda name: {RARE: content}[name], magic, {}, ())
        assert {name: importer._rare(name) for name in modules} == modules
        assert importer._rare("cp.config.reference") is None


def test_notes_of_a_run(tmp_path: Path) -> None:
    """Two clients note in one file."""
    notes = tmp_path / "notes"
    lines = ["sought cp", "executed cp", "sought urllib3", "sought cp.cli", "executed cp.cli", "started /bin/true"]
    notes.write_text("".join(f"{line}\n" for line in [*lines, "sought cp.app", "executed cp.app", *lines]))

    found = read(notes)

    assert found == Notes(("cp", "cp.cli", "cp.app"), ("cp", "urllib3", "cp.cli", "cp.app"), (2, 3))
    assert [found.before(0), found.before(1)] == [("cp", "cp.cli"), ("cp", "cp.cli", "cp.app")]


def test_run_without_the_process_that_is_looked_for_is_an_error() -> None:
    with pytest.raises(BuildError, match="has started 1 processes, not 2"):
        Notes(("cp",), ("cp",), (1,)).before(1)


def test_module_that_cannot_be_executed_is_an_error(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text("sought cp\nfailed cp: NameError('name')\n")

    with pytest.raises(BuildError, match=r"it cannot import cp: NameError\('name'\)"):
        read(notes)
