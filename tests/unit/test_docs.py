"""The documentation, held to the code: the reference is complete, and what the pages say to type exists."""

from __future__ import annotations

import configparser
import importlib.util
import inspect
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from hub_callbacks import _bootstrap, settings, wire
from hub_callbacks.cli import main
from hub_callbacks.hookspecs import TrainerHooks
from hub_callbacks.outbox import Outbox

SOURCE = Path(__file__).parents[2]
PAGES = sorted([*SOURCE.glob("*.md"), *(SOURCE / "docs").glob("*/*.md")])
DEMO = 'python -m pip install ".[ultralytics]" && hub-callbacks demo'
TESTS = "python -m pip install tox && tox"

HOOKS = [name for name, _ in inspect.getmembers(TrainerHooks, inspect.isfunction)]
ROWS = settings.table()
GROUP = click.Context(main, info_name="hub-callbacks")


def contexts(parent: click.Context) -> Iterator[click.Context]:
    """Every command of a group, and those of the groups in it."""
    assert isinstance(parent.command, click.Group)
    for name in parent.command.list_commands(parent):
        command = parent.command.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield context
        if isinstance(command, click.Group):
            yield from contexts(context)


COMMANDS = list(contexts(GROUP))


def blocks(page: Path, language: str) -> Iterator[str]:
    """The page's code blocks in that language."""
    block = re.compile(rf"^( *)```{language}\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for found in block.finditer(page.read_text(encoding="utf-8")):
        yield inspect.cleandoc(found[2])


def typed() -> Iterator[str]:
    """Every command that the pages say to type: in shell blocks, and where a whole inline code is one."""
    for page in PAGES:
        inline = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        for line in [*(line for block in blocks(page, "bash") for line in block.splitlines()), *inline]:
            yield from (part.strip() for part in line.split("&&"))


def words(command: str) -> list[str]:
    """The command's words, without the variables set for it."""
    split = shlex.split(command)
    while split and re.fullmatch(r"[A-Z_]+=\S*", split[0]):
        del split[0]
    return split


def environments(section: str) -> Iterator[str]:
    """The names of a section of tox.ini: ``testenv:a-{b,c}`` makes two."""
    before, _, choices = section.removeprefix("testenv:").partition("{")
    yield from (before + choice for choice in choices.rstrip("}").split(","))


def is_ours(command: str) -> bool:
    return bool(re.match(r"([A-Z_]+=\S* )*hub-callbacks( |$)", command))


OURS = sorted({command for command in typed() if is_ours(command)})
TOX = sorted({command for command in typed() if re.match(r"tox -e [a-z]", command)})
PYTHON = [(page.relative_to(SOURCE).as_posix(), block) for page in PAGES for block in blocks(page, "python")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as plain text: what a reader sees."""
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "text", str(SOURCE / "docs"), str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def read(built: Path, page: str) -> str:
    """A page of the reference, on one line."""
    return " ".join((built / "reference" / f"{page}.txt").read_text(encoding="utf-8").replace('"', "`").split())


@pytest.mark.parametrize("name", HOOKS)
def test_reference_has_every_hook_with_its_arguments(built: Path, name: str) -> None:
    text = read(built, "hooks")
    found = re.search(rf" {name}\(([^)]*)\) -> None ", text)
    assert found, name
    arguments = [name for name in inspect.signature(getattr(TrainerHooks, name)).parameters if name != "self"]
    assert [argument.partition(":")[0] for argument in found[1].split(", ")] == arguments
    assert f"| `{name}` |" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_reference_has_every_setting(built: Path, row: Any) -> None:
    text = read(built, "settings")
    (entry,) = re.findall(rf" {row.name} Type: (.*?)(?= [a-z_]+ Type: |$)", text)
    meta = row.metadata
    for part in (meta["kind"].allowed, meta["help"], settings.env_name(row.name), meta["also_env"]):
        assert part in entry, part
    if meta["ultralytics"]:
        assert f"Ultralytics' own settings, up to 8.4.114: `{meta['ultralytics']}`." in entry


@pytest.mark.parametrize("context", COMMANDS, ids=lambda context: context.command_path)
def test_reference_has_every_command_with_its_options(built: Path, context: click.Context) -> None:
    command = context.command
    heading = rf" `{context.command_path}` =+ (.*?)(?= `hub-callbacks [a-z ]+` =|$)"
    (entry,) = re.findall(heading, read(built, "commands"))
    assert " ".join(command.collect_usage_pieces(context)) in entry
    for option in command.params:
        if isinstance(option, click.Option):
            assert f" {option.opts[-1]} " in entry
            assert (option.help or "") in entry


@pytest.mark.parametrize("feature", get_args(wire.Feature))
def test_reference_has_every_extension_of_the_protocol(built: Path, feature: str) -> None:
    _, _, extensions = read(built, "protocol").partition(" Extensions ")
    assert f" `{feature}` " in extensions


@pytest.mark.parametrize("command", OURS)
def test_commands_in_the_pages_exist(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "copied-data").mkdir()
    monkeypatch.chdir(tmp_path)
    name, *arguments = words(re.sub("(RUN|KEY|DATASET)_ID", wire.new_id(), command))[1:] or ["--help"]
    if name.startswith("--"):
        assert name in {"--help", "--version"}
        return
    found = main.get_command(GROUP, name)
    assert found is not None, command
    if isinstance(found, click.Group) and arguments:
        found = found.get_command(GROUP, arguments.pop(0))
        assert found is not None, command
    context = found.make_context(name, arguments, parent=GROUP)  # raises for what it does not take
    for change in context.params.get("changes", ()):
        setting, _, text = change.partition("=")
        if setting != "NAME":
            (row,) = [row for row in ROWS if row.name == setting]
            settings.parse(row, text, source=command)


@pytest.mark.parametrize("command", TOX)
def test_tox_environments_in_the_pages_exist(command: str) -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(SOURCE / "tox.ini", encoding="utf-8")
    known = {name for section in tox.sections() for name in environments(section)} | {"py3"}
    for name in words(command)[2].split(","):
        assert name in known or re.fullmatch(r"py31[0-9]", name), name


def test_extras_and_groups_in_the_pages_exist() -> None:
    project = (SOURCE / "pyproject.toml").read_text(encoding="utf-8")
    for install in [words(command) for command in typed() if command.startswith("python -m pip install ")]:
        extras = [name for word in install for found in re.findall(r"^\.\[(.*)\]$", word) for name in found.split(",")]
        groups = [group for flag, group in itertools.pairwise(install) if flag == "--group"]
        for name in (*extras, *groups):
            assert re.search(rf"^{name} = \[", project, re.MULTILINE), name


def test_variables_in_the_pages_exist() -> None:
    known = {settings.env_name(row.name) for row in ROWS} | {_bootstrap.DISABLE}
    for page in PAGES:
        named = set(re.findall(r"HUB_CALLBACKS_[A-Z_]+", page.read_text(encoding="utf-8")))
        assert named <= known, page


def test_readme_names_the_two_commands_and_ci_runs_the_second() -> None:
    assert {DEMO, TESTS} <= set((SOURCE / "README.md").read_text(encoding="utf-8").splitlines())
    assert DEMO in (SOURCE / "docs/tutorial/first-run.md").read_text(encoding="utf-8").splitlines()
    assert f"({TESTS})" in (SOURCE / ".ci/run").read_text(encoding="utf-8")


def test_readme_shows_the_line_that_is_installed() -> None:
    (line,) = (SOURCE / "hub_callbacks.pth").read_text(encoding="utf-8").splitlines()
    assert line in (SOURCE / "README.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", sorted(SOURCE.glob("*.md")), ids=lambda page: page.name)
def test_links_of_pages_at_the_root_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (SOURCE / target).exists()] == []


def test_tutorial_shows_the_receipt_of_the_demo() -> None:
    demo = main.get_command(GROUP, "demo")
    assert demo is not None
    (epochs,) = [option.default for option in demo.params if option.name == "epochs"]
    assert f"HUB: {epochs}/{epochs} epochs," in (SOURCE / "docs/tutorial/first-run.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=[page for page, _ in PYTHON])
def test_python_in_the_pages_compiles(page: str, block: str) -> None:
    compile(block, page, "exec")


def test_plugin_of_the_how_to_passes_its_own_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, test = blocks(SOURCE / "docs/how-to/write-a-plugin.md", "python")
    (tmp_path / "my_plugin.py").write_text(module, encoding="utf-8")
    (tmp_path / "my_test.py").write_text(test, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    spec = importlib.util.spec_from_file_location("my_test", tmp_path / "my_test.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    loaded.test_plugin_writes_a_line_for_each_epoch(tmp_path)
    monkeypatch.delitem(sys.modules, "my_plugin")


def test_session_of_the_reference_records_its_run(courier_at_work: None, outbox: Outbox) -> None:
    (block,) = blocks(SOURCE / "docs/reference/session.md", "python")
    exec(compile(block, "session.md", "exec"), {})  # noqa: S102 - our own page
    (run,) = outbox.runs.list()
    assert (run.name, run.state, run.epochs_recorded) == ("my loop", "finished", 3)


def test_claimed_range_of_ultralytics_is_what_ran() -> None:
    """By the table that `tox -e trainer-all` writes: from its first release to the last minor one, and each did all."""
    page = (SOURCE / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    table = page.partition("<!-- table -->")[2].partition("<!-- end of the table -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\| 8.*$", table, re.MULTILINE)]
    assert {cell for row in rows for cell in row[1:]} == {"yes"}
    major, minor = rows[-1][0].split(".")[:2]
    claim = f"ultralytics>={rows[0][0]},<{major}.{int(minor) + 1}"
    assert f'"{claim}"' in (SOURCE / "pyproject.toml").read_text(encoding="utf-8")
    assert f"`{claim}`" in (SOURCE / "README.md").read_text(encoding="utf-8")
    assert f"`{claim}`" in page


def test_weekly_job_names_environments_that_exist() -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read(SOURCE / "tox.ini")
    known = {name for section in config.sections() for name in environments(section)}
    job = (SOURCE / ".github" / "workflows" / "weekly.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\btox run -e (\S+)", job))
    assert asked
    assert asked <= known
