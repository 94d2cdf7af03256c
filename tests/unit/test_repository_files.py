"""The files that the forge, pre-commit and editors read: workflows, templates, hooks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
DEPENDABOT = ROOT / ".github" / "dependabot.yml"
PINNED = re.compile(r"actions/[a-z-]+@[0-9a-f]{40}")
SCRIPT = re.compile(r"(?<![\w/])(?:\./)?((?:scripts|\.ci)/[\w.-]+)")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def workflow(name: str) -> Any:
    return load(ROOT / ".github" / "workflows" / f"{name}.yml")


def mistakes(workflow: Any) -> Iterator[str]:
    """The errors of a workflow."""
    if not isinstance(workflow, dict) or not isinstance(workflow.get("jobs"), dict):
        yield "it has no jobs"
        return
    if not workflow.get(True):  # YAML 1.1 reads the key `on` so
        yield "nothing starts it"
    if workflow.get("permissions") not in ({}, {"contents": "read"}):
        yield "its token may do more than read the repository"
    for name, job in workflow["jobs"].items():
        for key in ("runs-on", "steps", "timeout-minutes"):
            if not job.get(key):
                yield f"{name} has no {key}"
        needed = job.get("needs", [])
        for other in [needed] if isinstance(needed, str) else needed:
            if other not in workflow["jobs"]:
                yield f"{name} needs {other}, which does not exist"
        for step in job.get("steps", ()):
            if ("uses" in step) == ("run" in step):
                yield f"{name}: a step has either uses or run"
            if "uses" in step and not PINNED.fullmatch(step["uses"]):
                yield f"{name}: {step['uses']} is not an action of GitHub's at a fixed commit"
            is_checkout = step.get("uses", "").startswith("actions/checkout@")
            if is_checkout and step.get("with", {}).get("persist-credentials") is not False:
                yield f"{name}: the token stays in the checkout, where all that runs later can read it"
            yield from missing_scripts(step.get("run", ""))


def missing_scripts(command: str) -> Iterator[str]:
    for script in SCRIPT.findall(command):
        if not os.access(ROOT / script, os.X_OK):
            yield f"{script} cannot be executed"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_well_formed(path: Path) -> None:
    assert list(mistakes(load(path))) == []


def without_runs_on(workflow: Any) -> None:
    del workflow["jobs"]["all"]["runs-on"]


def without_steps(workflow: Any) -> None:
    workflow["jobs"]["all"]["steps"] = []


def with_a_step_that_does_nothing(workflow: Any) -> None:
    workflow["jobs"]["all"]["steps"].append({"name": "nothing"})


def with_an_action_at_a_tag(workflow: Any) -> None:
    workflow["jobs"]["all"]["steps"].append({"uses": "actions/setup-python@v5"})


def with_a_checkout_that_keeps_the_token(workflow: Any) -> None:
    workflow["jobs"]["all"]["steps"].append({"uses": f"actions/checkout@{'0' * 40}"})


def with_a_stranger_s_action(workflow: Any) -> None:
    workflow["jobs"]["all"]["steps"].append({"uses": f"somebody/something@{'0' * 40}"})


def with_a_missing_script(workflow: Any) -> None:
    workflow["jobs"]["all"]["steps"].append({"run": "./scripts/missing.sh"})


def with_a_missing_job(workflow: Any) -> None:
    workflow["jobs"]["all"]["needs"] = "missing"


def with_all_permissions(workflow: Any) -> None:
    del workflow["permissions"]


@pytest.mark.parametrize(
    "damage",
    [
        without_runs_on,
        without_steps,
        with_a_step_that_does_nothing,
        with_an_action_at_a_tag,
        with_a_checkout_that_keeps_the_token,
        with_a_stranger_s_action,
        with_a_missing_script,
        with_a_missing_job,
        with_all_permissions,
    ],
)
def test_a_malformed_workflow_is_found(damage: Callable[[Any], None]) -> None:
    damaged = workflow("ci")
    damage(damaged)

    assert len(list(mistakes(damaged))) == 1


def test_an_action_has_its_version_beside_its_commit() -> None:
    lines = [line.strip(" -") for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    found = [re.fullmatch(r"uses: (actions/[a-z-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line) for line in lines]

    assert None not in found, lines
    pins = {match.groups() for match in found if match}
    assert len(pins) == len({action for action, *_ in pins}), "an action has the same version everywhere"


def test_dependabot_proposes_newer_actions_and_packages_each_week() -> None:
    settings = load(DEPENDABOT)

    assert settings["version"] == 2
    assert {each["package-ecosystem"]: each["directory"] for each in settings["updates"]} == {
        "github-actions": "/",
        "pip": "/",
    }
    assert all(each["schedule"] == {"interval": "weekly"} for each in settings["updates"])


def test_every_supported_python_is_tested_and_released() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    supported = re.findall(r"Python :: (3\.\d+)", pyproject)
    ci, release = workflow("ci")["jobs"], workflow("release")["jobs"]

    *others, newest = supported
    assert ci["smoke"]["strategy"]["matrix"]["python"] == others
    assert ci["all"]["container"]["image"] == f"python:{newest}"
    assert release["test"]["strategy"]["matrix"]["python"] == supported
    [setup] = (step for step in release["build"]["steps"] if "setup-python" in step.get("uses", ""))
    assert setup["with"]["python-version"].split() == supported


def test_ci_runs_the_same_tests_as_the_script() -> None:
    ci = workflow("ci")["jobs"]
    arguments = {
        job: [
            step["run"].partition("scripts/test.sh")[2] for step in ci[job]["steps"] if "test.sh" in step.get("run", "")
        ]
        for job in ("smoke", "all")
    }
    script = (ROOT / ".ci" / "run").read_text()

    [on_the_forge] = arguments["smoke"]
    here = re.findall(r" PYTHON=\$python scripts/test\.sh(.*) ;;$", script, re.M)
    # The script has one machine for all Pythons, so it leaves out some folders.
    assert len(here) == 2
    for argument in " ".join(here).split():
        assert any(argument == each or argument.startswith(f"{each}/") for each in on_the_forge.split()), argument
    assert arguments["all"] == re.findall(r"^PYTHON=\$newest COVERAGE=1 scripts/test\.sh(.*)$", script, re.M)


def test_only_the_job_that_makes_the_release_may_write() -> None:
    jobs = {path.stem: load(path)["jobs"] for path in WORKFLOWS}
    may_write = [
        (name, job)
        for name, found in jobs.items()
        for job, described in found.items()
        if "write" in described.get("permissions", {}).values()
    ]

    assert may_write == [("release", "draft")]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_the_required_fields(path: Path) -> None:
    form = load(path)

    assert form["name"]
    assert form["description"]
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    assert all(each["attributes"].get("label") or each["type"] == "markdown" for each in form["body"])
    assert any(each.get("validations", {}).get("required") for each in form["body"])


def test_the_hooks_are_the_checks_of_the_tests() -> None:
    [repository] = load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}

    assert list(hooks) == ["ruff", "ruff-format", "mypy", "codespell", "words", "workflows", "dependabot"]
    assert [found for hook in hooks.values() for found in missing_scripts(hook["entry"])] == []


def test_ci_and_the_hooks_check_the_same_schemas_with_the_same_version() -> None:
    texts = [(ROOT / name).read_text() for name in (".pre-commit-config.yaml", ".github/workflows/ci.yml")]

    for text in texts:
        assert set(re.findall(r"--builtin-schema (\S+)", text)) == {"vendor.github-workflows", "vendor.dependabot"}
    assert len({version for text in texts for version in re.findall(r"check-jsonschema==[\d.]+", text)}) == 1


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_names_of_a_page_exist(page: str) -> None:
    named = set(
        re.findall(r"(?<![\w./])(?:\./)?((?:\.ci|scripts|tests|examples|build)/[\w./-]*\w)", (ROOT / page).read_text())
    )

    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
