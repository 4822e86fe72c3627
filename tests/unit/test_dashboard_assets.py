from __future__ import annotations

import gzip
import subprocess
import sys

from hub_callbacks.server.dashboard.assets import Assets


def version_of(url: str) -> str:
    return url.split("/")[2]


def test_assets_serve_our_files_under_the_version_of_their_content() -> None:
    assets = Assets()
    asset = assets.get(version_of(assets.url("app.css")), "app.css")
    assert asset
    assert asset.media_type == "text/css"
    assert b":root" in gzip.decompress(asset.body)


def test_assets_serve_plotly_under_the_version_of_its_wheel() -> None:
    assets = Assets()
    asset = assets.get(version_of(assets.plotly_url), "plotly.min.js")
    assert asset
    assert b"plotly.js v" in gzip.decompress(asset.body)[:200]


def test_assets_serve_nothing_under_another_version_or_name() -> None:
    assets = Assets()
    assert assets.get("old", "app.css") is None
    assert assets.get(version_of(assets.url("app.css")), "../pages.py") is None
    assert assets.get(version_of(assets.plotly_url), "widgetbundle.js") is None


def test_assets_find_plotly_without_importing_it() -> None:
    code = (
        "import sys; from hub_callbacks.server.dashboard.assets import Assets\n"
        "assets = Assets(); assert assets.get(assets.plotly_url.split('/')[2], 'plotly.min.js')\n"
        "assert 'plotly' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
