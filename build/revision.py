"""The commit of the build, and its time, from git."""

from __future__ import annotations

import os
import subprocess

from build import ROOT

# The time of all files if there is no commit: 2020-01-01.
TIME_OUTSIDE_GIT = 1577836800


def git(*arguments: str) -> str:
    """The output of git; empty without git, without a commit, or in the work tree of another project."""
    if not (ROOT / ".git").exists():
        return ""
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, env=environ, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def commit() -> str:
    """The short hash of the commit, with `-dirty` after it if the work tree differs from it."""
    return git("describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")


def commit_time() -> int:
    """The time of all files in the archive, in seconds since 1970."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct") or TIME_OUTSIDE_GIT)
