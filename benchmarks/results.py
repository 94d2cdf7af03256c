"""One run of the benchmark, as it is kept in a file, so that the page can be made again without measuring."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.samples import Samples

SCHEMA = 1


@dataclass(slots=True)
class Results:
    """What was measured, with what, and how far it can be trusted. All texts are for people; none has a path in it.

    `missing`: what was not available, and why. `noise`: what disturbed the run; `noisy` if that is too much.
    """

    samples: Samples
    machine: str = ""
    versions: list[str] = field(default_factory=list)
    how: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    noise: list[str] = field(default_factory=list)
    noisy: bool = False

    def save(self, path: Path) -> None:
        """As JSON; the file is there only when all of it is."""
        samples = self.samples
        content = {
            "schema": SCHEMA,
            "machine": self.machine,
            "versions": self.versions,
            "how": self.how,
            "missing": self.missing,
            "noise": self.noise,
            "noisy": self.noisy,
            "notes": samples.notes,
            "values": [[*key, values] for key, values in samples.values.items()],
            "reasons": [[*key, reason] for key, reason in samples.reasons.items()],
            "failures": [[*key, count] for key, count in samples.failures.items()],
        }
        partial = path.with_name(path.name + ".part")
        partial.write_text(json.dumps(content, indent=1))
        partial.replace(path)


def load(path: Path) -> Results:
    """OSError if there is no such file, ValueError if it is of another version of the benchmark."""
    content: Any = json.loads(path.read_text())
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ValueError("another version of the benchmark wrote it")
    samples = Samples(notes=content["notes"])
    for fields, table in (("values", samples.values), ("reasons", samples.reasons), ("failures", samples.failures)):
        for measure, candidate, what in content[fields]:
            table[measure, candidate] = what
    texts = ("machine", "versions", "how", "missing", "noise", "noisy")
    return Results(samples, **{name: content[name] for name in texts})
