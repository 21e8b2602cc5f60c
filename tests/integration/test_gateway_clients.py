"""The client contract: four client families, unchanged, trade a morning against the simulated gateway."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from mia_kernel.gateway.params import GatewayParams
from tests.clients.environments import ROOT, python_of
from tests.fakes.gateway_market import running

pytestmark = [pytest.mark.integration, pytest.mark.safety]

SCENES = ROOT / "tests" / "clients"
SPEED = 60.0
CHECKS_AT_LEAST = {"asyncio_scene.py": 80, "threads_scene.py": 60}


async def _play(python: str, scene: str, argument: str) -> list[dict[str, Any]]:
    async with running(GatewayParams(speed=SPEED)) as (gateway, control):
        client = await asyncio.create_subprocess_exec(
            python, str(SCENES / scene), argument, str(gateway.port), str(control.port),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(client.communicate(), 170)
        except TimeoutError:
            client.kill()
            await client.wait()
            raise
    assert client.returncode == 0, err.decode()[-2000:]
    return json.loads(out.decode().splitlines()[-1])


def _contract(python: str, scene: str, argument: str) -> None:
    rows = asyncio.run(_play(python, scene, argument))
    assert [row for row in rows if not row["ok"]] == []
    assert len(rows) >= CHECKS_AT_LEAST[scene]


def test_ib_insync() -> None:
    _contract(sys.executable, "asyncio_scene.py", "ib_insync")


def test_ib_async() -> None:
    _contract(python_of("ib_async"), "asyncio_scene.py", "ib_async")


def test_ibapi_at_version_157() -> None:
    _contract(python_of("ibapi"), "threads_scene.py", "157")


def test_nautilus_ibapi_at_version_176() -> None:
    _contract(python_of("nautilus_ibapi"), "threads_scene.py", "176")
