"""All targets by name. A target takes the bytes of one input, and raises if something is wrong with the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.of_bodies import fuzz_bodies, fuzz_client, fuzz_exposition, fuzz_signal
from tests.fuzz.of_catalogs import fuzz_consul, fuzz_etcd2, fuzz_etcd3, fuzz_http, fuzz_record
from tests.fuzz.of_configurations import fuzz_config
from tests.fuzz.of_secrets import fuzz_masking
from tests.fuzz.of_servers import fuzz_control, fuzz_telemetry
from tests.fuzz.of_templates import fuzz_printf, fuzz_regex, fuzz_template
from tests.fuzz.of_texts import fuzz_command_line, fuzz_duration, fuzz_interface, fuzz_json5, fuzz_netlink

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: dict[str, Callable[[bytes], None]] = {
    "json5": fuzz_json5,
    "config": fuzz_config,
    "template": fuzz_template,
    "printf": fuzz_printf,
    "regex": fuzz_regex,
    "duration": fuzz_duration,
    "interface": fuzz_interface,
    "netlink": fuzz_netlink,
    "command_line": fuzz_command_line,
    "masking": fuzz_masking,
    "control": fuzz_control,
    "telemetry": fuzz_telemetry,
    "client": fuzz_client,
    "consul": fuzz_consul,
    "http": fuzz_http,
    "etcd2": fuzz_etcd2,
    "etcd3": fuzz_etcd3,
    "record": fuzz_record,
    "bodies": fuzz_bodies,
    "signal": fuzz_signal,
    "exposition": fuzz_exposition,
}
