"""Who may come in, as admins see to it with their browser, and people to themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Watch
    from tests.hubs import HubServer

LONG_ENOUGH = "correct horse battery"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def either_page(request: pytest.FixtureRequest, hub: HubServer, new_page: Callable[..., Page]) -> Page:
    """A page with scripts on, and one with scripts off."""
    return new_page(hub, java_script_enabled=request.param)


@pytest.fixture
def ada(hub: HubServer) -> HubServer:
    """The hub, with the key of a trainer of that name."""
    user_id = hub.ask("POST", wire.USERS, json={"name": "Ada", "role": "trainer"})["id"]
    return replace(hub, key=hub.ask("POST", wire.KEYS, json={"userId": user_id, "name": "laptop"})["key"])


def own_id(person: HubServer) -> str:
    return str(person.ask("GET", wire.KEYS)[0]["userId"])


def signed_in(visitor: Page, person: HubServer) -> Page:
    visitor.goto("/login")
    visitor.get_by_label("API key").fill(person.key)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Runs")
    return visitor


def test_user_is_added_with_a_first_key(either_page: Page, hub: HubServer) -> None:
    name = wire.new_id()
    either_page.goto("/")
    either_page.get_by_role("link", name="Users").click()
    either_page.get_by_label("Name", exact=True).fill(name)
    either_page.get_by_label("E-mail", exact=True).fill(f"{name}@example.org")
    either_page.get_by_label("Role").select_option("viewer")
    either_page.get_by_role("button", name="Add").click()
    expect(either_page.get_by_role("heading", name=f"The first key of {name}")).to_be_visible()
    person = replace(hub, key=either_page.locator(".paste code").inner_text())
    assert person.ask("GET", wire.user(own_id(person)))["role"] == "viewer"
    either_page.goto(f"/users?q={name}")
    expect(either_page.get_by_role("row", name=name)).to_contain_text("viewer")
    assert person.key not in either_page.content()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": "x", "email": "nobody"}, "That is no e-mail address"),
        ({"name": "x", "password": "short"}, "10 characters at least"),
        ({"name": " "}, "Say who it is"),
        ({"name": "x", "email": "taken@example.org"}, "Another user has the e-mail address 'taken@example.org'"),
    ],
)
def test_user_who_cannot_be_added_is_told_why_and_loses_nothing(
    hub: HubServer, page: Page, watch: Watch, said: dict[str, str], words: str
) -> None:
    hub.send("POST", wire.USERS, json={"name": "first", "email": "taken@example.org"})
    before = hub.ask("GET", wire.USERS)["total"]
    page.goto("/users")
    for field, value in said.items():
        page.locator(f".fields [name={field}]").evaluate(
            "(one, value) => { one.type = 'text'; one.value = value; }", value
        )
    page.locator("form.fields").evaluate("one => { one.noValidate = true; }")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.locator(".fields [name=email]")).to_have_value(said.get("email", ""))
    assert hub.ask("GET", wire.USERS)["total"] == before
    watch.forgive("status of 422")


def test_role_and_name_are_changed(either_page: Page, hub: HubServer, ada: HubServer) -> None:
    either_page.goto(f"/users/{own_id(ada)}")
    either_page.get_by_label("Name", exact=True).fill("Ada L.")
    either_page.get_by_label("Role").select_option("viewer")
    either_page.get_by_role("button", name="Save").click()
    expect(either_page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    expect(either_page.get_by_role("heading", level=1)).to_have_text("Ada L.")
    assert ada.send("POST", wire.MODELS, json={}).status_code == 403


def test_user_is_locked_out_until_a_new_key_lets_them_in(either_page: Page, hub: HubServer, ada: HubServer) -> None:
    user_id = own_id(ada)
    hub.ask("PATCH", wire.user(user_id), json={"email": f"{user_id}@example.org", "password": LONG_ENOUGH})
    either_page.goto(f"/users/{user_id}")
    either_page.locator("summary", has_text="Lock out").click()
    assert ada.send("GET", wire.MODELS).status_code == 200, "nothing happens before the confirmation"
    either_page.get_by_role("button", name="Lock Ada out").click()
    expect(either_page.get_by_text("They are locked out")).to_be_visible()
    assert ada.send("GET", wire.MODELS).status_code == 401
    assert hub.ask("GET", wire.user(user_id))["hasPassword"] is False
    either_page.get_by_label("Name of a new key").fill("again")
    either_page.get_by_role("button", name="Make a key").click()
    again = replace(hub, key=either_page.locator(".paste code").inner_text())
    assert own_id(again) == user_id


def test_user_is_deleted_after_being_told_what_goes_and_what_stays(
    either_page: Page, hub: HubServer, ada: HubServer
) -> None:
    user_id = own_id(ada)
    model_id = ada.ask("POST", wire.MODELS, json={"meta": {"name": "hers"}})["id"]
    project_id = hub.ask("POST", wire.PROJECTS, json={"meta": {"name": "shared"}})["id"]
    hub.ask("PUT", f"{wire.members(project_id)}/{user_id}", json={"role": "viewer"})
    either_page.goto(f"/users/{user_id}")
    region = either_page.get_by_role("region", name="Let them in no more")
    expect(region).to_contain_text("1 key and the password")
    expect(region).to_contain_text("What they made stays: 1 run, 0 data sets, 0 projects")
    region.locator("summary", has_text="Delete").click()
    expect(region).to_contain_text("1 project of others is shared with them no more")
    region.get_by_label("Forget the name, too").check()
    region.get_by_role("button", name="Delete Ada for good").click()
    expect(either_page.get_by_text("The user was deleted")).to_be_visible()
    assert ada.send("GET", wire.MODELS).status_code == 401
    assert hub.ask("GET", wire.model(model_id))["meta"]["name"] == "hers"
    assert hub.ask("GET", wire.members(project_id)) == []


def test_last_admin_stays(page: Page, hub: HubServer, watch: Watch) -> None:
    own = hub.ask("GET", wire.USERS, params={"limit": 1000})["results"]
    admins = [user["id"] for user in own if user["role"] == "admin"]
    assert len(admins) == 1
    page.goto(f"/users/{admins[0]}")
    expect(page.get_by_text("This is you: you will be signed out")).to_be_visible()
    page.get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("last admin")
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="for good").last.click()
    expect(page.get_by_role("alert")).to_contain_text("last admin")
    expect(page.get_by_text("Lock out")).to_have_count(0)
    reply = page.request.post(f"/users/{admins[0]}/lock", headers={"origin": hub.url})
    assert (reply.status, hub.send("GET", wire.USERS).status_code) == (422, 200)
    watch.forgive("status of 422")


def test_person_sees_to_themselves_and_to_nobody_else(
    hub: HubServer, ada: HubServer, visitor: Page, watch: Watch
) -> None:
    page = signed_in(visitor, ada)
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
    page.get_by_role("link", name="Ada").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada")
    for words in ("Role", "Lock out", "Delete"):
        expect(page.get_by_text(words, exact=True)).to_have_count(0)
    page.get_by_label("E-mail").fill(f"{own_id(ada)}@example.org")
    page.get_by_label("New password").fill(LONG_ENOUGH)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    form = {"email": f"{own_id(ada)}@example.org", "password": LONG_ENOUGH}
    reply = requests.post(f"{hub.url}/login", data=form, headers={"origin": hub.url}, timeout=10)
    assert "Sign out" in reply.text
    role = page.request.post(f"/users/{own_id(ada)}", form={"role": "admin"}, headers={"origin": hub.url})
    assert (role.status, ada.ask("GET", wire.user(own_id(ada)))["role"]) == (403, "trainer")
    page.goto(f"/users/{own_id(hub)}")
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")
    watch.forgive("status of 403")


def test_user_revokes_a_key_of_theirs_and_stays_on_the_page(page: Page, hub: HubServer, ada: HubServer) -> None:
    page.goto(f"/users/{own_id(ada)}")
    page.get_by_label("Revoke laptop").click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada")
    expect(page.get_by_role("row", name="laptop")).to_contain_text("revoked")
    assert ada.send("GET", wire.MODELS).status_code == 401
