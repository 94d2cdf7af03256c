"""A Consul whose services change all the time, as a program of its own: so that it does not share our interpreter.

    python churning.py INSTANCES LARGE_INSTANCES

It prints its port. A service has so many instances, and LARGE_INSTANCES if its name is "large"; one of them changes its
port ten times a second, and each open question is answered when it does. It ends when its standard input does.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

PERIOD = 0.1  # seconds

_never = threading.Event()


def answer(count: int, turn: int) -> bytes:
    entries = [
        {
            "Node": {"ID": f"{number:032x}", "Node": f"node-{number}", "Address": "10.1.2.3", "Datacenter": "dc1",
                     "TaggedAddresses": {"lan": "10.1.2.3", "wan": "10.1.2.3"}, "Meta": {}},
            "Service": {"ID": f"web-{number}", "Service": "web", "Tags": ["blue", "v7"], "Address": "10.0.0.1",
                        "Port": 1024 + number + (turn if number == 0 else 0), "Weights": {"Passing": 1, "Warning": 1},
                        "EnableTagOverride": False, "Proxy": {"MeshGateway": {}, "Expose": {}}, "Connect": {}},
            "Checks": [{"Node": f"node-{number}", "CheckID": check, "Name": "check", "Status": "passing", "Notes": "",
                        "Output": "ok", "ServiceID": f"web-{number}", "ServiceName": "web", "Definition": {},
                        "CreateIndex": 10, "ModifyIndex": 12} for check in ("serfHealth", f"service:web-{number}")],
        }
        for number in range(count)
    ]  # fmt: skip
    return json.dumps(entries, separators=(",", ":")).encode()


def serve(connection: socket.socket, bodies: dict[bool, list[bytes]]) -> None:
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            while requests.readline().strip():
                pass
            target = line.split()[1].decode()
            if "index=" in target:
                _never.wait(PERIOD)  # the next change
            turn = int(time.monotonic() / PERIOD)
            body = bodies["/large?" in target][turn % 2]
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Consul-Index: {turn + 1}\r\n\r\n"
            connection.sendall(head.encode() + body)


def main() -> None:
    small, large = map(int, sys.argv[1:])
    bodies = {False: [answer(small, turn) for turn in range(2)], True: [answer(large, turn) for turn in range(2)]}
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - that is what it is for

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, bodies), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
