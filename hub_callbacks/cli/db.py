"""``hub-callbacks db``: a served hub's data brought up to date, backed up, checked, and moved to PostgreSQL."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from hub_callbacks.cli.places import place_of, placed


@click.group("db")
def db_command() -> None:
    """Upgrade, back up and check the data of a hub, or move it."""


@db_command.command("upgrade")
@placed
def upgrade_command(**place: Any) -> None:
    """Bring the tables up to date, as `serve` does when it starts."""
    from hub_callbacks.server.store.checks import revision

    with place_of(**place).database() as database:
        before = revision(database)
        database.migrate()
        after = revision(database)
    click.echo(f"The tables are up to date: revision {after}." if before == after else f"From {before} to {after}.")


@db_command.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@placed
def backup_command(folder: Path, **place: Any) -> None:
    """Copy database and files into FOLDER while the hub goes on. FOLDER can then be served.

    A file that is there already is not copied again. A database in PostgreSQL is backed up by pg_dump.
    """
    from hub_callbacks.server.folder import open_blobs
    from hub_callbacks.server.inspection import copy_blobs
    from hub_callbacks.server.store.database import connect, sqlite_url
    from hub_callbacks.server.store.transfer import back_up

    own, file = place_of(**place), folder / "hub" / "hub.db"
    with own.database() as database:
        back_up(database, file)
    with closing(connect(sqlite_url(file))) as backup:
        copied, missing = copy_blobs(backup, own.blobs(), open_blobs(folder))
    click.echo(f"Backed up to {folder}: the database, and {copied} files that were not there yet.")
    if missing:
        click.echo(f"{missing} files were deleted meanwhile or are missing: hub-callbacks db check says which.")


@db_command.command("check")
@click.option("--deep", is_flag=True, help="Read every file, and compare its SHA-256.")
@placed
def check_command(deep: bool, **place: Any) -> None:
    """Look for damaged pages, broken references and missing files. Exits with 1 if anything is.

    The hub may go on meanwhile; a file that it deletes between two looks may be named missing.
    """
    from hub_callbacks.server.inspection import problems

    own = place_of(**place)
    with own.database() as database:
        found = 0
        for problem in problems(database, own.blobs, is_deep=deep):
            click.echo(problem)
            found += 1
    click.echo(f"{found} problem{'s' if found > 1 else ''}." if found else "Everything is in order.")
    if found:
        sys.exit(1)


@db_command.command("copy")
@click.option("--to", "target", required=True, metavar="URL", help="An empty database: postgresql://...")
@click.option("--blobs-to", metavar="URL", help="A bucket, for the files.")
@placed
def copy_command(target: str, blobs_to: str | None, **place: Any) -> None:
    """Copy a stopped hub's database into an empty one. With --blobs-to its files go into a bucket.

    All of the rows arrive, counted on both sides, or none.
    """
    from hub_callbacks.server.bucket import open_bucket
    from hub_callbacks.server.inspection import copy_blobs
    from hub_callbacks.server.store.database import open_database
    from hub_callbacks.server.store.transfer import copy_store

    own, bucket = place_of(**place), open_bucket(blobs_to) if blobs_to else None
    with own.database(is_own=True) as source, closing(open_database(target)) as other:
        source.migrate()
        counts = copy_store(source, other)
        click.echo("\n".join(f"{count:>9}  {name}" for name, count in counts.items()))
        if bucket:
            copied, missing = copy_blobs(source, own.blobs(), bucket)
            click.echo(f"{copied:>9}  files" + (f"; {missing} are missing" if missing else ""))
