"""Templates to replies: filters, asset URLs, and the headers that every page carries."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from hub_callbacks import wire
from hub_callbacks.server.dashboard import formats
from hub_callbacks.server.dashboard.assets import Assets
from hub_callbacks.server.export import forms
from hub_callbacks.server.store.rows import Caller

# Scripts only from files of ours. Plotly needs inline styles, and data: and blob: images to save a chart as PNG.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FORM_NAMES: Final = {"csv": "CSV", "json": "JSON", "parquet": "Parquet"}
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",  # what it shows changes, and a shared browser must not show it after the sign-out
}


class Renderer:
    """The templates, ready to be filled."""

    def __init__(self) -> None:
        self.assets = Assets()
        self._templates = Environment(
            loader=PackageLoader("hub_callbacks.server.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in ("number", "size", "duration", "roughly", "ago", "iso", "moment", "plain"):
            self._templates.filters[name] = getattr(formats, name)
        self._templates.globals |= {
            "asset": self.assets.url,
            "plotly_url": self.assets.plotly_url,
            "export_path": wire.export,
            "export_forms": {form: _FORM_NAMES[form] for form in forms()},
        }

    def text(self, template: str, **values: Any) -> str:
        """The template, filled."""
        return self._templates.get_template(template).render(**values)

    def page(self, template: str, *, status: int = 200, caller: Caller | None = None, **values: Any) -> HTMLResponse:
        """The template as a whole page; ``caller`` is who is signed in."""
        text = self.text(template, caller=caller, page=template.removesuffix(".html"), **values)
        return HTMLResponse(text, status_code=status, headers=HEADERS)

    def error(self, status: int, heading: str, text: str, *, caller: Caller | None = None) -> HTMLResponse:
        """A page that says what is wrong and what to do."""
        return self.page("error.html", status=status, caller=caller, code=status, heading=heading, text=text)


@cache
def renderer() -> Renderer:
    """The one renderer of this process: templates and assets are part of the package and never change."""
    return Renderer()


ThisRenderer = Annotated[Renderer, Depends(renderer)]


def root_url(request: Request) -> str:
    """The hub's address as the browser knows it, without a slash at its end."""
    return str(request.base_url).rstrip("/")


def live_reply(**values: Any) -> JSONResponse:
    """What a page's script asks for again and again."""
    return JSONResponse(values, headers=HEADERS)
