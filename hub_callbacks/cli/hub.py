"""``hub-callbacks serve`` and ``open``: run a hub, and look at it."""

from __future__ import annotations

import webbrowser
from typing import Any
from urllib.parse import quote

import click

from hub_callbacks import wire
from hub_callbacks.cli.ids import checked_id
from hub_callbacks.cli.places import place_of, placed
from hub_callbacks.courier import local_hub
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; the setting `port` when not given.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that serve it, several from PostgreSQL only; the setting `workers` when not given.",
)
@placed
def serve_command(host: str, port: int | None, workers: int | None, **place: Any) -> None:
    """Run a hub until Ctrl-C. Its first start prints the admin's key, once."""
    from hub_callbacks.server.limits import Limits
    from hub_callbacks.server.serving import serve

    settings = Settings.load()
    serve(
        place_of(**place),
        host=host,
        port=settings.port if port is None else port,
        announce=click.echo,
        limits=Limits.of(settings),
        access_log=settings.access_log,
        workers=workers or settings.workers,
    )


@click.command("open")
@click.argument("run", type=checked_id, required=False)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def open_command(run: str | None, no_browser: bool) -> None:
    """Open the hub, or a run's page, in the browser, signed in."""
    address = sign_in_url(Settings.load(), wire.page(run) if run else "/")
    click.echo(address)
    if not no_browser:
        webbrowser.open(address)


def sign_in_url(settings: Settings, path: str) -> str:
    """An address that signs a browser in for a short time and leads to a page; starts the local hub where needed.

    Raises:
        TransportError: The hub does not answer, or does not know the key.
    """
    if settings.is_local:
        local = local_hub.ensure(settings.data_dir, port=settings.port)
        web_root, api = local.url, HubApi(local.url, local.key)
    else:
        web_root, api = settings.web_url or settings.api_url, HubApi(settings.api_url, settings.api_key)
    sign_in = api.sign_in_path()
    api.close()
    return f"{web_root}{sign_in}&next={quote(path)}"
