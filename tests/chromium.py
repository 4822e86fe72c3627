"""A real browser, for the tests that look at pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from filelock import FileLock
    from playwright.sync_api import Browser, Playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # containers and root have no user namespaces to build one from
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM_INSTALL_S = 600


def install_by(*command: str) -> bool:
    return subprocess.run(command, check=False, timeout=CHROMIUM_INSTALL_S).returncode == 0


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def install_debian_chromium() -> str | None:
    is_root = getattr(os, "geteuid", lambda: -1)() == 0
    if not is_root or not shutil.which("apt-get"):
        return None
    install_by("apt-get", "update")
    install_by("apt-get", "install", "-y", "--no-install-recommends", "chromium")
    return find_chromium()


def install_playwright_chromium(playwright: Playwright) -> str:
    path = Path(playwright.chromium.executable_path)
    if not path.exists():
        assert install_by(sys.executable, "-m", "playwright", "install", "chromium"), "Chromium cannot be installed."
    return str(path)


@pytest.fixture(scope="session")
def browser(machine_lock: FileLock) -> Iterator[Browser]:
    """A browser that is there, or one that is installed now: a test that skips itself is no test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        with machine_lock:
            path = find_chromium() or install_debian_chromium() or install_playwright_chromium(playwright)
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
