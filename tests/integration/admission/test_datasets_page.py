"""The page with the data sets: who sees which, what it offers to whom, and what is deleted from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire
from tests.integration.admission.callers import CHANGERS, READER, STRANGERS, Team, things
from tests.integration.admission.test_requests import archive

if TYPE_CHECKING:
    from tests.hubs import HubServer

EVERYONE = (*STRANGERS, READER, *CHANGERS)
OTHER_KEY = "key of another project"


def page(team: Team, who: str, query: str = "") -> str:
    reply = team.session(who).get(f"{team.hub.url}/datasets{query}", timeout=20)
    assert reply.status_code == 200, reply.text
    return unescape(reply.text)


def row(text: str, dataset_id: str) -> str:
    """What the page says of one data set; empty where it says nothing."""
    found = re.search(rf'<tr id="dataset-{dataset_id}">.*?</tr>', text, re.DOTALL)
    return found[0] if found else ""


def delete(team: Team, who: str, dataset_id: str, origin: str = "") -> int:
    path = f"{team.hub.url}/datasets/{dataset_id}/delete"
    headers = {"origin": origin or team.hub.url}
    return team.session(who).post(path, headers=headers, timeout=20, allow_redirects=False).status_code


def is_there(team: Team, dataset_id: str) -> bool:
    return team.send("admin", "GET", wire.dataset(dataset_id)).status_code == 200


@pytest.fixture(scope="module")
def sets(team: Team) -> dict[str, str]:
    """Data sets of the owner's: in a project that is shared, in none, and a public one in one that is not shared."""
    shared = things(team)
    alone = team.ask("owner", wire.PROJECTS, meta={"name": "alone"})["id"]
    return {
        "project": shared["project_id"],
        "shared": shared["dataset_id"],
        "open": team.ask("owner", wire.DATASETS)["id"],
        "hidden": team.ask("owner", wire.DATASETS, projectId=alone)["id"],
        "public": team.ask("owner", wire.DATASETS, projectId=alone, isPublic=True)["id"],
        "alone": alone,
    }


SEEN = {
    "shared": set(EVERYONE) - set(STRANGERS),
    "open": set(EVERYONE) - {OTHER_KEY},
    "hidden": {"owner", "admin"},
    "public": set(EVERYONE),
}
CHANGED = {
    "shared": set(CHANGERS),
    "open": {"owner", "admin"},
    "hidden": {"owner", "admin"},
    "public": {"owner", "admin"},
}


@pytest.mark.parametrize("who", EVERYONE)
def test_page_shows_what_the_caller_may_read_and_offers_what_they_may_do(
    team: Team, sets: dict[str, str], who: str
) -> None:
    text = page(team, who)
    assert {name for name in SEEN if row(text, sets[name])} == {name for name, seen in SEEN.items() if who in seen}
    offered = {name for name in SEEN if f'action="/datasets/{sets[name]}/delete"' in text}
    assert offered == {name for name, may in CHANGED.items() if who in may}
    assert ("How data sets get here" in text) == (who not in {"guest", READER})


def test_page_says_who_sees_a_data_set_and_names_no_project_that_is_not_shared(
    team: Team, sets: dict[str, str]
) -> None:
    text = page(team, "owner")
    said = {"shared": "those of its project", "open": "everyone on this hub", "public": "anyone"}
    for name, words in said.items():
        assert f">{words}</td>" in row(text, sets[name]), name
    for name, project in (("shared", "project"), ("public", "alone")):
        assert f'href="/projects/{sets[project]}"' in row(text, sets[name])
    for who in (*STRANGERS, READER, "helper"):
        public = row(page(team, who), sets["public"])
        assert "not shared with you" in public, who
        assert sets["alone"] not in public, who


def test_data_set_of_a_deleted_project_is_its_owners(team: Team) -> None:
    ids = things(team)
    assert team.send("owner", "DELETE", wire.project(ids["project_id"])).ok
    assert ">its owner</td>" in row(page(team, "owner"), ids["dataset_id"])
    assert {who for who in EVERYONE if row(page(team, who), ids["dataset_id"])} == {"owner", "admin"}


def test_archive_is_fetched_by_the_link_of_the_page(team: Team, sets: dict[str, str]) -> None:
    assert "none yet" in row(page(team, READER), sets["shared"])
    content = archive()
    path = f"{wire.dataset(sets['shared'])}/upload"
    assert team.send("owner", "POST", path, files={"file": ("x.zip", content)}).ok
    shown = row(page(team, READER), sets["shared"])
    (url,) = re.findall(r'href="(/v1/files/[^"]+)"', shown)
    assert "none yet" not in shown
    assert requests.get(team.hub.url + url, timeout=20).content == content
    assert requests.get(team.hub.url + url.partition("?")[0], timeout=20).status_code == 403


def test_data_set_is_deleted_by_those_who_may_and_from_the_hubs_own_page(team: Team) -> None:
    refused = [*((who, "", 404) for who in STRANGERS), (READER, "", 403), ("owner", "https://evil.example", 403)]
    for who, origin, status in [*refused, *((who, "", 303) for who in CHANGERS)]:
        dataset_id = things(team)["dataset_id"]
        assert delete(team, who, dataset_id, origin) == status, who
        assert is_there(team, dataset_id) == (status != 303), who


def test_run_leads_to_its_data_set_where_the_caller_may_read_it(team: Team, sets: dict[str, str]) -> None:
    dataset_id = team.ask("owner", wire.DATASETS, meta={"name": "coco8"})["id"]
    model_id = team.ask("owner", wire.MODELS, datasetId=dataset_id)["id"]
    address, link = team.hub.url + wire.page(model_id), f"/datasets?q={dataset_id}"
    stranger = team.session("stranger")
    assert f'<a href="{link}">coco8</a>' in stranger.get(address, timeout=20).text
    assert row(stranger.get(team.hub.url + link, timeout=20).text, dataset_id)
    assert team.send("owner", "PATCH", wire.dataset(dataset_id), json={"projectId": sets["alone"]}).ok
    shown = stranger.get(address, timeout=20).text
    assert (link in shown, "<span>coco8</span>" in shown) == (False, True)


def test_deleted_data_set_leaves_its_name_and_a_line_in_the_audit_log(team: Team) -> None:
    dataset_id = team.ask("owner", wire.DATASETS, meta={"name": "coco8"})["id"]
    assert team.send("owner", "POST", f"{wire.dataset(dataset_id)}/upload", files={"file": ("x.zip", archive())}).ok
    model_id = team.ask("owner", wire.MODELS, datasetId=dataset_id)["id"]
    (url,) = re.findall(r'href="(/v1/files/[^"]+)"', row(page(team, "owner"), dataset_id))

    assert delete(team, "owner", dataset_id) == 303
    assert "The data set was deleted" in page(team, "owner", "?deleted=true")
    shown = team.session("owner").get(team.hub.url + wire.page(model_id), timeout=20).text
    assert (dataset_id in shown, "<span>coco8</span>" in shown) == (False, True)
    assert requests.get(team.hub.url + url, timeout=20).status_code == 404
    assert delete(team, "owner", dataset_id) == 404
    events = team.send("admin", "GET", wire.AUDIT, params={"limit": 1000}).json()["data"]["results"]
    assert [one["action"] for one in events if one["target"] == f"datasets/{dataset_id}"] == ["delete"]


def test_page_of_an_empty_hub_says_how_to_begin_and_pages_come_newest_first(
    start_hub: Callable[..., HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    team = Team(hub=hub, keys={"admin": hub.key}, ids={})
    user_id = team.ask("admin", wire.USERS, name="Vera", role="viewer")["id"]
    team.keys["viewer"] = team.ask("admin", wire.KEYS, userId=user_id)["key"]
    empty = page(team, "admin")
    assert "No data set yet" in empty
    assert f"hub-callbacks settings api_url={hub.url} api_key=YOUR_KEY" in empty
    assert "datasets upload" not in page(team, "viewer")

    ids = [team.ask("admin", wire.DATASETS, meta={"name": f"<b>{number}</b>"})["id"] for number in range(51)]
    shown = [re.findall(r'<tr id="dataset-(\w+)"', page(team, "admin", f"?page={number}")) for number in (1, 2, 3)]
    assert shown == [ids[:0:-1], ids[:1], []]
    first = team.session("admin").get(f"{hub.url}/datasets", timeout=20).text
    assert "51 data sets" in first
    assert "<b>" not in first
    assert "There is no such page" in page(team, "admin", "?page=3")
    assert "No data set matches “nothing”" in page(team, "admin", "?q=nothing")
    assert team.session("admin").get(f"{hub.url}/datasets?page=0", timeout=20).status_code == 422
