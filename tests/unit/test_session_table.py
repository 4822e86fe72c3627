"""The reference's table beside the session of old: nothing is missing, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2]
OF_OLD = {  # every name that either generation of the session has
    *("__init__", "create_session", "load_model", "create_model", "_parse_identifier", "_set_train_args", "_get_model"),
    *(
        "request_queue",
        "_get_failure_message",
        "_should_retry",
        "upload_metrics",
        "upload_model",
        "_show_upload_progress",
        "_iterate_content",
    ),
    *("_register_signal_handlers", "_handle_signal", "_start_heartbeat", "_stop_heartbeat"),
    *("agent_id", "alive", "api_url", "auth_header", "client", "filename", "metrics_queue", "model", "model_file"),
    *("metrics_upload_failed_queue", "model_id", "model_url", "rate_limits", "timers", "train_args"),
    *("on_pretrain_routine_start", "on_pretrain_routine_end", "on_fit_epoch_end", "on_model_save", "on_train_end"),
}


def rows() -> list[list[str]]:
    """The table's rows, as cells."""
    text = (SOURCE / "docs/reference/session.md").read_text(encoding="utf-8")
    _, _, section = text.partition("\n## Beside the session of old\n")
    lines = section.partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] not in {"Of old", "---"}]


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((SOURCE / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_row_is_held_by_tests_that_are_there(row: list[str]) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[4])
    assert named
    for path, test in named:
        assert test in names_in(path), f"{path}::{test}"


def test_every_name_of_old_has_a_row() -> None:
    assert {name for row in rows() for name in re.findall(r"`(\w+)`", row[0])} >= OF_OLD


def said() -> list[str]:
    """The messages in the how-to page's tables, as they are written there."""
    text = (SOURCE / "docs/how-to/train-a-model-of-the-hub.md").read_text(encoding="utf-8")
    return [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]


@cache
def words_of_the_code() -> str:
    """Every text in the rooms that speak to a person; where a value stands in a message, there is a gap."""
    texts = []
    for path in sorted(file for room in ("callbacks", "session", "transport", "outbox") for file in room_files(room)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(map(_text, node.values)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def _text(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "\n"


def room_files(room: str) -> list[Path]:
    return list((SOURCE / "hub_callbacks" / room).glob("*.py"))


@pytest.mark.parametrize("message", said())
def test_message_in_the_how_to_page_is_one_that_is_said(message: str) -> None:
    parts = [part.strip(" .:,") for part in message.removeprefix("HUB: ").split("…")]
    assert any(parts)
    for part in filter(None, parts):
        assert part in re.sub(r"%[sdr]", "\n", words_of_the_code()), part
