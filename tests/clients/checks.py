"""Collect named checks of a scene and print them as JSON; plain Python, for every client's environment."""

from __future__ import annotations

import json
import socket
from typing import Any


class Checks:
    """What held and what did not."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def that(self, name: str, holds: object, detail: object = "") -> None:
        self.rows.append({"name": name, "ok": bool(holds), "detail": str(detail)[:300]})

    def equal(self, name: str, found: object, expected: object) -> None:
        self.that(name, found == expected, f"{found!r}, expected {expected!r}")

    def near(self, name: str, found: float, expected: float) -> None:
        self.that(name, abs(found - expected) < 1e-6, f"{found!r}, expected {expected!r}")

    def print(self) -> None:
        print(json.dumps(self.rows))


def ctl(port: int, verb: str, **arguments: Any) -> dict[str, Any]:
    """Ask the control port of the gateway under test."""
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(link.makefile().readline())
    if not answer["ok"]:
        raise RuntimeError(answer["error"])
    return answer
