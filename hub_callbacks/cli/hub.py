"""``hub-callbacks serve`` and ``open``: run a hub, and look at it."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import quote

import click

from hub_callbacks import wire
from hub_callbacks.cli.ids import checked_id
from hub_callbacks.courier import local_hub
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; the setting `port` when not given.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="The hub's folder; the setting `data_dir` when not given."
)
@click.option("--database-url", help="Database; the setting `database_url` when not given.")
@click.option("--blobs-url", help="Bucket for files; the setting `blobs_url` when not given.")
def serve_command(
    host: str, port: int | None, data_dir: Path | None, database_url: str | None, blobs_url: str | None
) -> None:
    """Run a hub until Ctrl-C. Its first start prints the admin's key, once."""
    from hub_callbacks.server.limits import Limits
    from hub_callbacks.server.observing import log_access
    from hub_callbacks.server.serving import serve

    settings = Settings.load()
    if settings.access_log != "off":
        log_access("json" if settings.access_log == "json" else "text")
    serve(
        host=host,
        port=settings.port if port is None else port,
        data_dir=data_dir or settings.data_dir,
        announce=click.echo,
        database_url=settings.database_url if database_url is None else database_url,
        blobs_url=settings.blobs_url if blobs_url is None else blobs_url,
        limits=Limits.of(settings),
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
