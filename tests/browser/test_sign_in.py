from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.hubs import HubServer


def test_sign_in_with_the_link_that_open_opens(hub: HubServer, visitor: Page) -> None:
    visitor.goto(str(hub.ask("POST", wire.SIGN_IN)["url"]))
    expect(visitor).to_have_url(f"{hub.url}/")
    expect(visitor).to_have_title("Runs · hub-callbacks")


def test_sign_in_with_a_forged_link_says_what_to_do(visitor: Page, watch: Watch) -> None:
    visitor.goto("/login?token=1.2.3")
    expect(visitor.get_by_role("alert")).to_contain_text("hub-callbacks open")
    watch.forgive("status of 401")


def test_sign_in_with_a_pasted_key_goes_on_to_the_page_that_was_asked_for(
    hub: HubServer, visitor: Page, trainer: Trainer
) -> None:
    model_id = trainer.start("asked-for")
    visitor.goto(wire.page(model_id))
    expect(visitor).to_have_title("Sign in · hub-callbacks")
    visitor.get_by_label("API key").fill(f" {hub.key}\n")
    visitor.get_by_role("button", name="Sign in").click()
    expect(visitor.get_by_role("heading", name="asked-for")).to_be_visible()


def test_sign_in_with_a_wrong_key_says_so(visitor: Page, watch: Watch) -> None:
    visitor.goto("/login")
    visitor.get_by_label("API key").fill("x" * 42)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("alert")).to_contain_text("does not know that key")
    watch.forgive("status of 401")


def test_sign_out_closes_every_page(hub: HubServer, page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{hub.url}/login")
    page.goto("/")
    expect(page).to_have_title("Sign in · hub-callbacks")
    assert page.context.cookies() == []


def test_sign_in_from_another_site_is_refused(hub: HubServer) -> None:
    reply = requests.post(
        f"{hub.url}/login", data={"key": hub.key}, headers={"origin": "http://example.com"}, timeout=10
    )
    assert reply.status_code == 401
    assert not reply.cookies


def test_sign_in_never_leads_to_another_site(hub: HubServer) -> None:
    for path in ("//example.com", "https://example.com", "/\\example.com"):
        reply = requests.post(
            f"{hub.url}/login",
            data={"key": hub.key, "next": path},
            headers={"origin": hub.url},
            timeout=10,
            allow_redirects=False,
        )
        assert (reply.status_code, reply.headers["location"]) == (303, "/")


def test_live_parts_answer_401_without_a_session(hub: HubServer) -> None:
    for path in ("/live/runs", "/live/models/none"):
        assert requests.get(hub.url + path, timeout=10).status_code == 401


def test_pages_allow_no_inline_script_and_are_not_kept(hub: HubServer) -> None:
    headers = requests.get(f"{hub.url}/login", timeout=10).headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
