"""Projects in a browser: whom they are shared with, and which runs they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Watch
    from tests.hubs import HubServer


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def either_page(request: pytest.FixtureRequest, hub: HubServer, new_page: Callable[..., Page]) -> Page:
    """A page with scripts on, and one with scripts off."""
    return new_page(hub, java_script_enabled=request.param)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody on the hub, with whom nothing is shared yet."""

    id: str
    name: str
    hub: HubServer


@pytest.fixture
def vera(hub: HubServer) -> Person:
    name = f"Vera {wire.new_id()[:6]}"
    said = {"name": name, "role": "trainer", "email": f"{wire.new_id()}@example.org"}
    user_id = str(hub.ask("POST", wire.USERS, json=said)["id"])
    return Person(
        id=user_id, name=name, hub=replace(hub, key=hub.ask("POST", wire.KEYS, json={"userId": user_id})["key"])
    )


@pytest.fixture
def project(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.PROJECTS, json={"meta": {"name": "Parking"}})["id"])


def sees(person: Person, project: str) -> bool:
    return person.hub.send("GET", wire.project(project)).status_code == 200


def test_project_is_made_and_shared_by_name_and_shared_no_more(either_page: Page, hub: HubServer, vera: Person) -> None:
    name = f"Parking {wire.new_id()}"
    either_page.goto("/")
    either_page.get_by_role("link", name="Projects").click()
    either_page.get_by_label("Name", exact=True).fill(name)
    either_page.get_by_role("button", name="Make").click()
    expect(either_page.get_by_role("heading", level=1)).to_have_text(name)
    project = either_page.url.rpartition("/")[2]
    assert not sees(vera, project)
    either_page.get_by_label("Share with").fill(vera.name.upper())
    either_page.get_by_label("who may").select_option("viewer")
    either_page.get_by_role("button", name="Share", exact=True).click()
    expect(either_page.get_by_role("row", name=vera.name)).to_be_visible()
    assert sees(vera, project)
    assert vera.hub.send("POST", wire.MODELS, json={"projectId": project}).status_code == 403
    either_page.get_by_label(f"What {vera.name} may do", exact=True).select_option("trainer")
    either_page.get_by_role("button", name=f"Set what {vera.name} may do").click()
    expect(either_page.get_by_label(f"What {vera.name} may do", exact=True)).to_have_value("trainer")
    assert vera.hub.send("POST", wire.MODELS, json={"projectId": project}).status_code == 200
    either_page.get_by_label(f"Remove {vera.name}").click()
    expect(either_page.get_by_text(f"{vera.name} no longer sees")).to_be_visible()
    assert sees(vera, project), "nothing happens before the confirmation"
    either_page.get_by_role("button", name="Share no more").click()
    expect(either_page.get_by_role("row", name=vera.name)).to_have_count(0)
    assert not sees(vera, project)


def test_project_is_shared_by_address_where_two_have_the_name(
    page: Page, hub: HubServer, vera: Person, project: str, watch: Watch
) -> None:
    hub.ask("POST", wire.USERS, json={"name": vera.name})
    page.goto(f"/projects/{project}")
    page.get_by_label("Share with").fill(vera.name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("say the e-mail address")
    expect(page.get_by_label("Share with")).to_have_value(vera.name)
    page.get_by_label("Share with").fill(hub.ask("GET", wire.user(vera.id))["email"])
    page.keyboard.press("Enter")
    expect(page.locator(f"#member-{vera.id}")).to_be_visible()
    watch.forgive("status of 422")


def test_nobody_of_that_name_is_told(page: Page, project: str, watch: Watch) -> None:
    page.goto(f"/projects/{project}")
    page.get_by_label("Share with").fill("Nobody At All")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no user 'Nobody At All' on this hub")
    watch.forgive("status of 422")


def test_project_is_renamed_and_deleted_and_its_runs_stay(either_page: Page, hub: HubServer, project: str) -> None:
    model_id = hub.ask("POST", wire.MODELS, json={"projectId": project})["id"]
    either_page.goto(f"/projects/{project}")
    either_page.locator("summary", has_text="Edit").click()
    either_page.get_by_label("Name", exact=True).fill("Parking lot")
    either_page.get_by_role("button", name="Save").click()
    expect(either_page.get_by_role("heading", level=1)).to_have_text("Parking lot")
    either_page.locator("summary", has_text="Edit").click()
    expect(either_page.get_by_text("Its 1 run and 0 data sets stay")).to_be_visible()
    either_page.get_by_role("button", name="Delete the project").click()
    expect(either_page.get_by_text("The project was deleted")).to_be_visible()
    assert hub.send("GET", wire.project(project)).status_code == 404
    assert hub.send("GET", wire.model(model_id)).status_code == 200


def test_run_is_moved_into_a_project_and_out_of_it(
    either_page: Page, hub: HubServer, vera: Person, project: str
) -> None:
    model_id = hub.ask("POST", wire.MODELS, json={"meta": {"name": "mover"}})["id"]
    for choice, is_seen in ((project, False), ("none", True)):
        either_page.goto(wire.page(model_id))
        either_page.locator("summary", has_text="Edit").click()
        either_page.get_by_label("Seen by").select_option(choice)
        either_page.get_by_role("button", name="Save").click()
        expect(either_page.get_by_text("seen by those of Parking")).to_have_count(0 if is_seen else 1)
        assert (vera.hub.send("GET", wire.model(model_id)).status_code == 200) == is_seen


def test_runs_of_a_project_are_listed_and_searched_alone(page: Page, hub: HubServer, project: str) -> None:
    for name, inside in (("inner-1", project), ("inner-2", project), ("outer", None)):
        hub.ask("POST", wire.MODELS, json={"meta": {"name": name}, "projectId": inside})
    page.goto("/projects")
    page.get_by_role("link", name="2 runs in Parking").click()
    expect(page.locator("tbody .name a")).to_have_text(["inner-2", "inner-1"])
    page.get_by_label("Search runs").fill("-1")
    page.keyboard.press("Enter")
    expect(page.locator("tbody .name a")).to_have_text(["inner-1"])
    expect(page.get_by_text("in the project Parking")).to_be_visible()


def test_key_is_made_for_one_project(page: Page, hub: HubServer, project: str) -> None:
    page.goto("/keys")
    page.get_by_label("Name").fill("machine")
    page.get_by_label("For", exact=True).select_option(project)
    page.get_by_role("button", name="Make").click()
    machine = replace(hub, key=page.locator(".paste code").inner_text())
    model_id = machine.ask("POST", wire.MODELS, json={})["id"]
    page.goto(f"/?in={project}")
    expect(page.locator(f"#run-{model_id}")).to_be_visible()


def test_member_is_offered_nothing_that_is_not_allowed_and_the_routes_refuse(
    browser: Browser, hub: HubServer, vera: Person, project: str, watch: Watch
) -> None:
    path = f"/projects/{project}"
    with browser.new_context(base_url=hub.url) as context:
        page = watch.on(context.new_page())
        page.goto("/login")
        page.get_by_label("API key").fill(vera.hub.key)
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
        hub.ask("PUT", f"{wire.members(project)}/{vera.id}", json={"role": "trainer"})
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_text("Parking")
        expect(page.get_by_role("row", name=vera.name)).to_contain_text("look, train and change")
        for word in ("Edit", "Remove", "Share", "Set"):
            expect(page.get_by_text(word, exact=True)).to_have_count(0)
        for action in ("share", "unshare", "edit", "delete"):
            reply = page.request.post(
                f"{path}/{action}", form={"user": vera.id, "name": "taken"}, headers={"origin": hub.url}
            )
            assert reply.status == 403, action
    assert hub.ask("GET", wire.project(project))["meta"]["name"] == "Parking"
    assert sees(vera, project)
    watch.forgive("status of 404")
