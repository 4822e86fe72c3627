"""Each way in which a journal's file can be damaged, or cut off by a kill or a power cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from pytest_mock import MockerFixture

from hub_callbacks.outbox import Beginning, Hub, Journal, Outbox, OutboxFolder, journal
from hub_callbacks.outbox.journal import paths
from hub_callbacks.records import RunFinished, RunStarted

RUN = "r" * 20
BEGINNING = Beginning(record=RunStarted(name="train", epochs=3, started_at=1.0), hub=Hub(), heartbeat_s=300.0)
HEADER = 8  # bytes
LENGTH, CRC, BODY = 0, 4, 8  # in a record

Damage = Callable[[bytes, "list[int]"], bytes]  # of a journal's text, given where its records begin


def flipped(record: int, field: int, *, bit: int = 1) -> Damage:
    """Bit rot in a field of a record: the lowest bits of its first byte, or of its fourth to make a length huge."""
    return lambda text, begins: changed(text, begins[record] + field + (3 if bit > 1 else 0), bit)


def changed(text: bytes, at: int, bit: int = 1) -> bytes:
    return text[:at] + bytes([text[at] ^ bit]) + text[at + 1 :]


@pytest.fixture
def written(folder: OutboxFolder, outbox: Outbox) -> tuple[Path, list[int]]:
    """A journal of three rows, none of them taken in, and where its records begin: how it began, names, the rows."""
    made = Journal(folder.journals, RUN, BEGINNING)
    length = int.from_bytes(made.path.read_bytes()[HEADER : HEADER + 4], "little")
    begins = [HEADER, HEADER + 8 + length]
    for epoch in range(3):
        made.put_row(epoch, {"loss": 1 / (epoch + 1), "map": 0.1}, recorded_at=2.5, due_at=5.5)
    size_bytes = made.path.stat().st_size
    row_bytes = 8 + 1 + 3 * 8 + 2 * 8
    made.close()
    return made.path, begins + [size_bytes - rows * row_bytes for rows in (3, 2, 1)]


def end_and_clean_up(outbox: Outbox) -> None:
    outbox.take_in()
    outbox.remove_journals()
    outbox.runs.finish(RUN, RunFinished(state="crashed", finished_at=9.0))
    outbox.remove_journals()


KEPT = {
    "magic": (lambda text, _: changed(text, 0), 0),
    "first record, length is huge": (flipped(0, LENGTH, bit=128), 0),
    "first record, length is wrong": (flipped(0, LENGTH), 0),
    "first record, length is zero": (lambda text, _: text[:HEADER] + bytes(4) + text[HEADER + 4 :], 0),
    "first record, CRC": (flipped(0, CRC), 0),
    "first record, body": (flipped(0, BODY), 0),
    "names, length": (flipped(1, LENGTH), 0),
    "names, body": (flipped(1, BODY), 0),
    "middle row, length is huge": (flipped(3, LENGTH, bit=128), 1),
    "middle row, length is wrong": (flipped(3, LENGTH), 1),
    "middle row, CRC": (flipped(3, CRC), 1),
    "middle row, body": (flipped(3, BODY), 1),
    "middle row, zeros": (lambda text, begins: text[: begins[3]] + bytes(begins[4] - begins[3]) + text[begins[4] :], 1),
    "last row, length is huge": (flipped(4, LENGTH, bit=128), 2),
    "last row, length is wrong": (flipped(4, LENGTH), 2),
    "last row, CRC": (flipped(4, CRC), 2),
    "last row, body": (flipped(4, BODY), 2),
    "last row, half of it zeros": (lambda text, begins: text[: begins[4] + 20] + bytes(len(text) - begins[4] - 20), 2),
}


@pytest.mark.parametrize(("damage", "rows"), KEPT.values(), ids=KEPT.keys())
def test_damaged_journal_is_set_aside_and_said(
    written: tuple[Path, list[int]],
    outbox: Outbox,
    caplog: pytest.LogCaptureFixture,
    folder: OutboxFolder,
    damage: Damage,
    rows: int,
) -> None:
    path, begins = written
    path.write_bytes(text := damage(path.read_bytes(), begins))
    end_and_clean_up(outbox)
    assert outbox.runs.epochs(RUN) == set(range(rows))
    (aside,) = folder.set_aside
    assert (aside.read_bytes(), aside.name.startswith(f"{path.name}.damaged-")) == (text, True)
    assert f"{path} is damaged: not all of its rows could be read. It is kept as {aside.name}" in caplog.text
    assert paths(folder.journals) == []


TORN = {
    "nothing is written": (lambda text, begins: b"", 0),
    "only the header is written": (lambda text, begins: text[:HEADER], 0),
    "half of the first record is written": (lambda text, begins: text[: begins[1] - 2], 0),
    "zeros": (lambda text, begins: bytes(len(text)), 0),
    "header and zeros": (lambda text, begins: text[:HEADER] + bytes(900), 0),
    "half of the last row is written": (lambda text, begins: text[:-5], 2),
    "half of a length is written": (lambda text, begins: text[: begins[4] + 2], 2),
    "zeros in place of the last rows": (lambda text, begins: text[: begins[3]] + bytes(4096), 1),
    "whole": (lambda text, begins: text, 3),
}


@pytest.mark.parametrize(("cut", "rows"), TORN.values(), ids=TORN.keys())
def test_journal_that_a_kill_or_a_power_cut_has_torn_is_removed(
    written: tuple[Path, list[int]],
    outbox: Outbox,
    caplog: pytest.LogCaptureFixture,
    folder: OutboxFolder,
    cut: Damage,
    rows: int,
) -> None:
    path, begins = written
    path.write_bytes(cut(path.read_bytes(), begins))
    end_and_clean_up(outbox)
    assert outbox.runs.epochs(RUN) == set(range(rows))
    assert list(folder.journals.iterdir()) == []
    assert caplog.text == ""


def test_damage_before_what_was_taken_in_costs_nothing(
    written: tuple[Path, list[int]], outbox: Outbox, folder: OutboxFolder
) -> None:
    path, begins = written
    outbox.take_in()
    path.write_bytes(changed(path.read_bytes(), begins[3] + BODY))
    end_and_clean_up(outbox)
    assert (outbox.runs.epochs(RUN), folder.set_aside) == ({0, 1, 2}, [])


def test_damaged_journal_is_left_to_its_trainer_as_long_as_it_lives(
    written: tuple[Path, list[int]], outbox: Outbox, folder: OutboxFolder
) -> None:
    path, begins = written
    path.write_bytes(changed(path.read_bytes(), begins[0] + CRC))
    folder.run_lock(RUN).parent.mkdir()
    with FileLock(folder.run_lock(RUN)):
        outbox.remove_journals()
        assert (folder.set_aside, path.exists()) == ([], True)
    outbox.remove_journals()
    assert (len(folder.set_aside), path.exists()) == (1, False)


def test_file_that_is_no_journal_is_looked_at_once(
    written: tuple[Path, list[int]], outbox: Outbox, mocker: MockerFixture
) -> None:
    path, _ = written
    path.write_bytes(b"something else")
    looked = mocker.spy(journal, "rest")
    for _ in range(3):
        outbox.remove_journals()
    assert (looked.call_count, path.exists()) == (1, True)


def test_journal_of_a_later_release_is_left_alone(
    written: tuple[Path, list[int]], outbox: Outbox, folder: OutboxFolder
) -> None:
    path, _ = written
    path.write_bytes(b"HUBJRN2" + path.read_bytes()[7:])
    outbox.remove_journals()
    assert (folder.set_aside, path.exists()) == ([], True)
