"""Addresses of gateways, and ports that real money sits behind."""

from __future__ import annotations

import pytest

from mia_kernel.adapters.ibkr_params import Address, IbkrParams, address_of, is_broker, permit
from mia_kernel.core.errors import InputError, SettingsError

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_addresses() -> None:
    params = IbkrParams()
    assert address_of("ibkr:", params) == Address("ibkr", "127.0.0.1", 4002)
    assert address_of("ibkr:10.0.0.5:7497", params) == Address("ibkr", "10.0.0.5", 7497)
    assert address_of("gateway:127.0.0.1:4002", params) == Address("gateway", "127.0.0.1", 4002)
    assert is_broker("ibkr:")
    assert is_broker("gateway:h:1")
    assert not is_broker("synthetic:")
    assert not is_broker("day.zip")


@pytest.mark.parametrize(
    "uri",
    [
        "gateway:",
        "gateway:4002",
        "gateway:h:0",
        "gateway:h:70000",
        "ibkr:h",
        "ibkr:h:x",
        "ftp:h:1",
        "gateway::1",
    ],
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="not the address"):
        address_of(uri, IbkrParams())


@pytest.mark.parametrize("port", [7496, 4001])
@pytest.mark.parametrize("profile", ["development", "paper", "staging"])
def test_a_port_for_real_money_needs_the_production_profile(port: int, profile: str) -> None:
    with pytest.raises(SettingsError, match="real money"):
        permit(Address("ibkr", "127.0.0.1", port), profile, ("U1",))


def test_production_needs_an_allow_list() -> None:
    with pytest.raises(SettingsError, match="no account is allowed"):
        permit(Address("ibkr", "127.0.0.1", 4001), "production", ())
    permit(Address("ibkr", "127.0.0.1", 4001), "production", ("U1",))
    permit(Address("ibkr", "127.0.0.1", 4002), "development", ())
