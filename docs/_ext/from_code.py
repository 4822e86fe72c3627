"""The parts of the reference that the code itself says: settings, commands, endpoints. Nothing is typed twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import Field
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hub_callbacks import settings
from hub_callbacks.cli import main

PROGRAM = "hub-callbacks"
_METHODS = ("get", "post", "patch", "put", "delete")
_DATA_DIR = "the system's folder for user data, `~/.local/share/hub-callbacks` on Linux"  # not the builder's own


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives ``settings-from-code``, ``commands-from-code`` and ``endpoints-from-code``."""
    for name, write in {"settings": settings_page, "commands": commands_page, "endpoints": endpoints_page}.items():
        app.add_directive(f"{name}-from-code", _directive(write))
    return {"parallel_read_safe": True}


def settings_page() -> Iterator[str]:
    """MyST lines: every setting with its names, what it takes, and its default."""
    for row in settings.table():
        names = [settings.env_name(row.name), *filter(None, [row.metadata["also_env"]])]
        yield from (f":::{{confval}} {row.name}", f":type: {row.metadata['kind'].allowed}")
        yield from (f":default: {_default(row)}", "", row.metadata["help"], "")
        yield f"Environment: {', then '.join(f'`{name}`' for name in names)}."
        if key := row.metadata["ultralytics"]:
            yield f"Also taken from Ultralytics' own settings, up to 8.4.114: `{key}`."
        yield from (":::", "")


def commands_page() -> Iterator[str]:
    """MyST lines: every command with its arguments and options."""
    for context in _commands(click.Context(main, info_name=PROGRAM)):
        command = context.command
        yield from (f"## `{context.command_path}`", "", f":::{{program}} {context.command_path}", ":::", "")
        yield from ("```text", " ".join([context.command_path, *command.collect_usage_pieces(context)]), "```", "")
        yield from (inspect.cleandoc(command.help or ""), "")
        for parameter in command.get_params(context):
            yield from _option(parameter, context)


def _commands(parent: click.Context) -> Iterator[click.Context]:
    """The commands of a group, each after the group that it is in."""
    assert isinstance(parent.command, click.Group)  # noqa: S101 - what is called is one
    for name in parent.command.list_commands(parent):
        command = parent.command.get_command(parent, name)
        assert command is not None  # noqa: S101 - it was listed
        context = click.Context(command, info_name=name, parent=parent)
        yield context
        if isinstance(command, click.Group):
            yield from _commands(context)


def endpoints_page() -> Iterator[str]:
    """MyST lines: a table of the hub's endpoints."""
    from fastapi import FastAPI

    from hub_callbacks.server.admission import ADMISSION, MEANINGS
    from hub_callbacks.server.routes import include_api

    app = FastAPI()
    include_api(app)
    admission = {route.replace(":path}", "}"): who for route, who in ADMISSION.items()}
    yield from ("| Request | What it does | Who may call it |", "| --- | --- | --- |")
    for path, item in app.openapi()["paths"].items():
        for method in _METHODS:
            if method in item:
                summary = item[method].get("description", "").partition("\n\n")[0].replace("\n", " ")
                request = f"{method.upper()} {path}"
                yield f"| `{request}` | {summary} | {MEANINGS[admission[request]]} |"


def _option(parameter: click.Parameter, context: click.Context) -> Iterator[str]:
    record = parameter.get_help_record(context)
    if not isinstance(parameter, click.Option) or record is None or "--help" in parameter.opts:
        return  # arguments: the usage shows them
    yield from (f":::{{option}} {record[0]}", "", record[1] or "No default.", ":::", "")


def _default(row: Field[Any]) -> str:
    default = row.metadata["default"]
    if row.name == "data_dir":
        return _DATA_DIR
    if callable(default):
        default = default({})
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default not in {"", ()} else "empty"


def _directive(write: Callable[[], Iterator[str]]) -> type[SphinxDirective]:
    class FromCode(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            return self.parse_text_to_nodes("\n".join(write()), allow_section_headings=True)

    return FromCode
