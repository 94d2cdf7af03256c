"""orjson out of the archive, in a process that has no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from build.native import pack
from tests.unit.catalog.consul.test_fast_json import HERE, PACKED, native

ROOT = Path(__file__).resolve().parents[4]


LOAD = """
import sys
sys.path[:0] = [{root!r}]
from cp.catalog.consul import fast_json
module = fast_json.import_packed(lambda name: {{{name!r}: open({file!r}, "rb").read()}}[name])
import orjson
assert orjson is module and orjson.loads(b'["one"]') == ["one"], orjson
print(orjson.__spec__.origin)
"""


def test_packed_module_is_loaded_from_memory(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(pack({"0.0-none": b"something else", HERE: native()}))

    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD.format(root=str(ROOT), name=PACKED, file=str(tmp_path / "packed"))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.startswith("/proc/self/fd/")
