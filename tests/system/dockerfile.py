"""Reads Dockerfiles and does what they say, as far as that can be done without a Docker engine: in plain folders.

`build` copies the stand-in of the image after FROM, copies files into it, and runs its RUN lines in it.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SUBSTITUTED = ("FROM", "COPY", "ENV", "WORKDIR", "USER", "STOPSIGNAL", "EXPOSE", "LABEL")


class Step(NamedTuple):
    """An instruction: `RUN`, `--mount=…` and the like, and what follows, which is on one line."""

    line: int
    word: str
    options: dict[str, str]
    rest: str

    def command(self) -> list[str]:
        """The arguments of the exec form; of the shell form, those that run it."""
        if self.rest.startswith("["):
            arguments = json.loads(self.rest)
            assert isinstance(arguments, list), self
            return [str(argument) for argument in arguments]
        return ["/bin/sh", "-c", self.rest]


class Image:
    """A root file system, and what the Dockerfile says about how to run it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {"PATH": PATH}
        self.workdir = "/"
        self.user = ""
        self.entrypoint: list[str] = []
        self.cmd: list[str] = []
        self.health: list[str] = []
        self.stop_signal = "SIGTERM"
        self.history: tuple[str, ...] | None = ()  # what made its root; None if files of a context are in it

    def inherit(self, other: Image) -> None:
        """Its whole configuration, except the root."""
        for name, value in vars(other).items():
            if name != "root":
                setattr(self, name, copy(value))


def parse(text: str) -> list[Step]:
    """The instructions of a Dockerfile. ValueError for a line that is none."""
    return [_step(line, joined) for line, joined in _joined(text)]


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments; those that end in a backslash with those that follow."""
    begun, parts = 0, []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        begun = begun or number
        parts.append(stripped.removesuffix("\\").strip())
        if not stripped.endswith("\\"):
            yield begun, " ".join(parts)
            begun, parts = 0, []
    if parts:
        raise ValueError(f"line {begun}: it ends with a backslash, and nothing follows")


def _step(line: int, joined: str) -> Step:
    word, _, rest = joined.partition(" ")
    if not re.fullmatch(r"[A-Z]+", word):
        raise ValueError(f"line {line}: {word!r} is not an instruction")
    options = {}
    while word in ("FROM", "COPY", "RUN", "HEALTHCHECK") and rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        name, _, value = option.removeprefix("--").partition("=")
        options[name] = value
        rest = rest.strip()
    return Step(line, word, options, rest.strip())


def build(
    text: str,
    context: Path,
    folder: Path,
    base: Callable[[str, Image], None],
    run: Callable[[Image, list[str]], None],
) -> Image:
    """The image of a Dockerfile's last stage, below `folder`.

    `base` makes an empty image the stand-in of the one after FROM; `run` runs a command in one, and raises if it fails.
    """
    arguments: dict[str, str] = {}
    stages: dict[str, Image] = {}
    image: Image | None = None
    for step in parse(text):
        rest = step.rest
        if step.word in _SUBSTITUTED:
            rest = _substitute(rest, arguments if image is None or step.word == "FROM" else {**arguments, **image.env})
        if step.word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif step.word == "FROM":
            reference, *named = rest.split()
            image = Image(folder / f"stage{len(stages)}")
            image.root.mkdir()
            if reference != "scratch":
                base(reference, image)
            image.history = (reference,)
            stages[named[1] if named else str(len(stages))] = image
        else:
            assert image is not None, f"line {step.line}: {step.word} before FROM"
            _apply(step, rest, image, context, stages, run)
    assert image is not None, "no FROM"
    return image


def _substitute(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values[match[1] or match[2]], text)


def _apply(
    step: Step,
    rest: str,
    image: Image,
    context: Path,
    stages: dict[str, Image],
    run: Callable[[Image, list[str]], None],
) -> None:
    if step.word == "RUN":
        image.history = image.history and (*image.history, str(image.env), image.workdir, image.user, step.rest)
        run(image, step.command())
    elif step.word == "COPY":
        source = stages[step.options["from"]].root if "from" in step.options else context
        _copy(step, rest.split(), source, image)
        image.history = None
    elif step.word == "ENV":
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            image.env[name] = value
    elif step.word == "WORKDIR":
        image.workdir = rest
        _inside(image.root, rest).mkdir(parents=True, exist_ok=True)
    elif step.word == "USER":
        image.user = rest
    elif step.word == "ENTRYPOINT":
        image.entrypoint, image.cmd = step.command(), []
    elif step.word == "CMD":
        image.cmd = step.command()
    elif step.word == "HEALTHCHECK":
        assert rest.startswith("CMD "), step
        image.health = Step(step.line, "CMD", {}, rest.removeprefix("CMD ").strip()).command()
    elif step.word == "STOPSIGNAL":
        image.stop_signal = rest
    elif step.word not in ("EXPOSE", "LABEL"):
        raise ValueError(f"line {step.line}: {step.word} is not known here")


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _copy(step: Step, names: list[str], source: Path, image: Image) -> None:
    *patterns, target_name = names
    base = image.workdir if not target_name.startswith("/") else "/"
    target = _inside(image.root, f"{base}/{target_name}")
    found = [path for pattern in patterns for path in sorted(source.glob(pattern.lstrip("/")))]
    assert found, f"line {step.line}: there is no {' '.join(patterns)}"
    assert len(found) == 1 or target_name.endswith("/"), f"line {step.line}: several files need a folder, with a slash"
    for path in found:
        _copy_one(path, target, into=target_name.endswith("/") or target.is_dir())
        copied = target / path.name if target.is_dir() and path.is_file() else target
        if "chmod" in step.options:
            copied.chmod(int(step.options["chmod"], 8))
        if "chown" in step.options and os.geteuid() == 0:
            user, _, group = step.options["chown"].partition(":")
            os.chown(copied, int(user), int(group or user))


def _copy_one(path: Path, target: Path, into: bool) -> None:
    """As COPY does: of a folder what is in it, and symbolic links in it as they are."""
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        return
    to = target / path.name if into else target
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)  # it may be shared with another image
    shutil.copy2(path, to)


def context(folder: Path, target: Path) -> Path:
    """The build context of a folder: a copy without the files that its .dockerignore excludes.

    Only such patterns as are used here: names and paths without `**`, and exceptions from them that begin with `!`.
    """
    ignore = folder / ".dockerignore"
    patterns = [line.strip() for line in ignore.read_text().splitlines()] if ignore.exists() else []
    patterns = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
    assert not [pattern for pattern in patterns if "**" in pattern]

    def is_sent(name: str) -> bool:
        sent = True
        for pattern in patterns:
            parts = [name, *(str(parent) for parent in Path(name).parents)]
            if any(fnmatch.fnmatchcase(part, pattern.removeprefix("!")) for part in parts):
                sent = pattern.startswith("!")
        return sent

    excepted = [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]
    everything = "*" in patterns
    candidates = (
        [path for pattern in excepted for path in folder.glob(pattern)] if everything else sorted(folder.rglob("*"))
    )
    for path in candidates:
        name = str(path.relative_to(folder))
        if path.is_file() and is_sent(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / name)
    return target
