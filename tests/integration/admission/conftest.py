"""A hub with a team on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from hub_callbacks import wire
from tests.integration.admission.callers import READER, Team

if TYPE_CHECKING:
    from tests.hubs import HubServer


@pytest.fixture(scope="module")
def team(start_hub: Callable[..., HubServer], tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The hub that the tests of a module share."""
    hub = start_hub(tmp_path_factory.mktemp("team"))
    keys = {"admin": hub.key, "forged": wire.new_key(), "id token of another hub": "9999999999.user-x-none.xxxx"}
    team = Team(hub=hub, keys=keys, ids={})
    roles = {"owner": "trainer", "helper": "trainer", "stranger": "trainer", READER: "viewer", "guest": "viewer"}
    for name, role in roles.items():
        team.ids[name] = str(team.ask("admin", wire.USERS, name=name, role=role)["id"])
        keys[name] = str(team.ask("admin", wire.KEYS, userId=team.ids[name])["key"])
    keys["expired"] = str(team.ask("owner", wire.KEYS, expiresAt=time.time() - 1)["key"])
    revoked = team.ask("owner", wire.KEYS)
    keys["revoked"] = str(revoked["key"])
    assert team.send("owner", "DELETE", wire.key(revoked["id"])).ok
    other = team.ask("owner", wire.PROJECTS)["id"]
    keys["key of another project"] = str(team.ask("owner", wire.KEYS, projectId=other)["key"])
    return team
