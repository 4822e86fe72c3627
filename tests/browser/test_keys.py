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


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def either_page(request: pytest.FixtureRequest, hub: HubServer, new_page: Callable[..., Page]) -> Page:
    """A page with scripts on, and one with scripts off."""
    return new_page(hub, java_script_enabled=request.param)


def test_key_is_made_shown_once_and_revoked(either_page: Page, hub: HubServer) -> None:
    name = wire.new_id()
    either_page.goto("/")
    either_page.get_by_role("link", name="Keys").click()
    either_page.get_by_label("Name").fill(name)
    either_page.get_by_label("May do at most").select_option("viewer")
    either_page.get_by_label("Ends after days").fill("7")
    either_page.get_by_role("button", name="Make").click()
    key = either_page.locator(".paste code").inner_text()
    laptop = replace(hub, key=key)
    assert laptop.send("GET", wire.MODELS).status_code == 200
    assert laptop.send("POST", wire.MODELS, json={}).status_code == 403
    either_page.goto("/keys")
    expect(either_page.get_by_role("row", name=name)).to_contain_text("viewer")
    assert key not in either_page.content()
    either_page.get_by_label(f"Revoke {name}").click()
    expect(either_page.get_by_role("row", name=name)).not_to_contain_text("revoked")
    either_page.get_by_role("row", name=name).get_by_role("button", name="Revoke for good").click()
    expect(either_page.get_by_role("row", name=name)).to_contain_text("revoked")
    assert laptop.send("GET", wire.MODELS).status_code == 401


def test_revoking_the_key_in_use_warns_of_it(hub: HubServer, new_page: Callable[..., Page]) -> None:
    page = new_page(hub)
    page.goto("/keys")
    own = page.get_by_role("row", name="signed in with")
    warning = own.get_by_text("you will be signed out")
    expect(warning).to_be_hidden()
    own.locator("summary").click()
    expect(warning).to_be_visible()


def test_keys_fit_a_phone(hub: HubServer, new_page: Callable[..., Page]) -> None:
    page = new_page(hub, viewport={"width": 390, "height": 844})
    hub.ask("POST", wire.KEYS, json={})
    page.goto("/keys")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    hidden = "() => { const box = document.querySelector('.scroll'); return box.scrollWidth - box.clientWidth; }"
    assert page.evaluate(hidden) <= 0, "the buttons are out of sight"
    assert page.evaluate("() => document.querySelector('.top nav').getBoundingClientRect().height") < 40


def test_password_signs_in(hub: HubServer, visitor: Page, watch: Watch) -> None:
    email, password = f"{wire.new_id()}@example.org", "correct horse battery"
    hub.ask("POST", wire.USERS, json={"name": "Ada", "email": email, "password": password, "role": "viewer"})
    visitor.goto("/keys")
    visitor.get_by_text("With e-mail and password").click()
    visitor.get_by_label("E-mail").fill(email)
    visitor.get_by_label("Password").fill("something else")
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("alert")).to_contain_text("does not know that e-mail")
    watch.forgive("status of 401")
    visitor.get_by_label("Password").fill(password)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", name="Your keys")).to_be_visible()


def test_other_site_makes_and_revokes_no_key(hub: HubServer) -> None:
    session = requests.Session()
    session.post(f"{hub.url}/login", data={"key": hub.key}, headers={"origin": hub.url}, timeout=10)
    before = hub.ask("GET", wire.KEYS)
    for path in ("/keys", f"/keys/{before[0]['id']}/revoke"):
        evil = {"origin": "https://evil.example"}
        assert session.post(hub.url + path, data={"name": "x"}, headers=evil, timeout=10).status_code == 200
    assert [key["revokedAt"] for key in hub.ask("GET", wire.KEYS)] == [key["revokedAt"] for key in before]


def test_key_that_never_ends_is_made_by_leaving_the_days_out(hub: HubServer) -> None:
    session, name = requests.Session(), wire.new_id()
    session.post(f"{hub.url}/login", data={"key": hub.key}, headers={"origin": hub.url}, timeout=10)
    form = {"name": name, "role": "admin", "days": ""}
    assert session.post(f"{hub.url}/keys", data=form, headers={"origin": hub.url}, timeout=10).status_code == 200
    (made,) = (key for key in hub.ask("GET", wire.KEYS) if key["name"] == name)
    assert (made["expiresAt"], made["role"]) == (None, "admin")
