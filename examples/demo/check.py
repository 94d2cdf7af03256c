"""A health check: exit code 0 if the web application answers.

Usage: check.py PORT
"""

from __future__ import annotations

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=1)
try:
    connection.request("GET", "/")
    healthy = connection.getresponse().status == 200
except OSError:
    healthy = False
sys.exit(0 if healthy else 1)
