"""A folder that cannot be searched hides what is in it: nothing of that counts as gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import advertised, app, config, job
from tests.system.program import PATH
from tests.system.scripts import mark, registered

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

# Root may search every folder, unless it has lost these capabilities.
CAPABILITIES = "-dac_override,-dac_read_search"
MORTAL = () if os.geteuid() else ("setpriv", f"--bounding-set={CAPABILITIES}", f"--inh-caps={CAPABILITIES}")


@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["not readable", "not searchable"])
def test_a_catalogue_without_permission_is_an_outage_and_nothing_in_it_is_gone(pilot: StartPilot, mode: int) -> None:
    changes = job("changes", mark("changed"), when={"source": "watch.app", "each": "changed"})
    started = pilot(
        config(advertised(), changes, directory="shelf", watches=[{"name": "app", "interval": 1}]), prefix=MORTAL
    )
    shelf = started.folder / "shelf"
    started.wait_for(lambda: registered(shelf, "app"))
    started.wait_for_mark("changed")

    shelf.chmod(mode)
    try:
        catalog = started.wait_for(
            lambda: [each for each in [started.ask("GET", "/v3/jobs").json["catalogue"]] if len(each["failing"]) == 2]
        )[0]
        failing = {who: failure["error"] for who, failure in catalog["failing"].items()}
        assert catalog["reachable"] is False
        assert failing["registration"].endswith("permission denied")
        assert failing["watch.app"].endswith("permission denied")
    finally:
        shelf.chmod(0o755)

    started.wait_for(lambda: started.ask("GET", "/v3/jobs").json["catalogue"]["about"] == "reachable")
    assert started.count("changed") == 1
    assert "is gone" not in started.output()


def test_a_folder_on_the_path_that_may_not_be_searched_is_named(pilot: StartPilot) -> None:
    hidden = pilot.folder() / "hidden"
    hidden.mkdir(mode=0o000)
    path = {"PATH": f"{PATH}:{hidden}"}
    started = pilot(config(app(), job("tool", "tool-of-ours")), prefix=MORTAL, env=path)

    started.wait_for_line(rf'exec: "tool-of-ours": permission denied: {hidden} on \$PATH may not be searched')


def test_a_file_that_is_not_an_entry_is_named_once_for_all_watches(pilot: StartPilot) -> None:
    names = ("one", "two", "three")
    shelf = pilot.folder() / "shelf"
    shelf.mkdir()
    (shelf / "garbage.json").write_text("garbage")
    watches = [{"name": name, "interval": 1} for name in names]
    started = pilot(config(advertised(), directory=str(shelf), watches=watches))

    def are_up_to_date() -> bool:
        return [each["about"] for each in started.ask("GET", "/v3/jobs").json["watches"]] == ["up to date"] * 3

    started.wait_for(are_up_to_date, what="a look of each watch")
    started.wait_for(lambda: registered(shelf, "app"), what="the registration, which looks at the folder, too")
    assert started.output().count("garbage.json is ignored") == 1
