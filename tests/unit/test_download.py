"""Files of a hub on this machine: continued after a break, verified, and never taken for another."""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from hub_callbacks.errors import DamagedError, PermanentError, UnreachableError
from hub_callbacks.session import cache
from hub_callbacks.session.download import TRIES, fetch

BLOCK_BYTES = 1 << 18  # what is written at once: a break costs at most so much
CONTENT = bytes(range(256)) * (3 * BLOCK_BYTES // 256)
REST = f"bytes {BLOCK_BYTES}-{len(CONTENT) - 1}/{len(CONTENT)}"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ETAG = f'"{SHA256}"'
NOW = 1_000_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def get(script: Any, folder: Path, path: str = "/a/last.pt?token=t", **options: Any) -> Path:
    return fetch(script.url + path, folder, label="weights", sleep=lambda _: None, **options)


def will_break_off(script: Any, *, after: int, etag: str = ETAG) -> None:
    """Two answers: to the look, and to the download, whose line breaks."""
    script.will_answer(200, CONTENT, etag=etag)
    script.will_answer(200, CONTENT[:after], etag=etag, content_length=str(len(CONTENT)), connection="close")


def test_download_is_whole_and_not_asked_for_again(script: Any, folder: Path) -> None:
    for _ in range(3):
        script.will_answer(200, CONTENT, etag=ETAG)
    path = get(script, folder)
    assert (path.read_bytes(), path.name) == (CONTENT, f"{SHA256}.pt")
    assert get(script, folder) == path
    assert len(script.heard) == 3  # a look and a download, a look


def test_download_carries_no_key(script: Any, folder: Path) -> None:
    for _ in range(2):
        script.will_answer(200, CONTENT, etag=ETAG)
    get(script, folder)
    assert not {"x-api-key", "authorization", "cookie"} & {name for headers in script.headers for name in headers}


def test_download_that_breaks_off_goes_on_where_it_was(script: Any, folder: Path) -> None:
    will_break_off(script, after=BLOCK_BYTES + 5)
    script.will_answer(206, CONTENT[BLOCK_BYTES:], content_range=REST, etag=ETAG)
    assert get(script, folder).read_bytes() == CONTENT
    assert (script.headers[2]["range"], script.headers[2]["if-range"]) == (f"bytes={BLOCK_BYTES}-", ETAG)


def test_bar_of_a_download_shows_how_far_it_is(
    script: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    terminal = io.StringIO()
    mocker.patch.object(terminal, "isatty", return_value=True)
    monkeypatch.setattr("sys.stderr", terminal)
    will_break_off(script, after=BLOCK_BYTES + 5)
    script.will_answer(206, CONTENT[BLOCK_BYTES:], content_range=REST, etag=ETAG)
    get(script, folder)
    shown = [int(percent) for percent in re.findall(r"(\d+)%", terminal.getvalue())]
    assert (shown[0], shown[-1]) == (0, 100)
    assert shown == sorted(shown)
    assert len(set(shown)) > 2


def test_download_that_broke_off_goes_on_in_a_later_call(script: Any, folder: Path) -> None:
    script.will_answer(200, CONTENT, etag=ETAG)
    for _ in range(TRIES):
        script.will_answer(200, CONTENT[:-5], etag=ETAG, content_length=str(len(CONTENT)), connection="close")
    with pytest.raises(UnreachableError):
        get(script, folder)
    have_bytes = next(folder.glob("*/*.part")).stat().st_size
    script.will_answer(200, CONTENT, etag=ETAG)
    rest = f"bytes {have_bytes}-{len(CONTENT) - 1}/{len(CONTENT)}"
    script.will_answer(206, CONTENT[have_bytes:], content_range=rest, etag=ETAG)
    assert get(script, folder).read_bytes() == CONTENT
    assert script.headers[-1]["range"] == f"bytes={have_bytes}-"


def test_hub_that_sends_all_again_is_taken_at_its_word(script: Any, folder: Path) -> None:
    will_break_off(script, after=BLOCK_BYTES + 5)
    script.will_answer(200, CONTENT, etag=ETAG)
    assert get(script, folder).read_bytes() == CONTENT


def test_part_that_nobody_asked_for_is_not_taken(script: Any, folder: Path) -> None:
    will_break_off(script, after=BLOCK_BYTES + 5)
    script.will_answer(206, CONTENT[500:], content_range=f"bytes 500-{len(CONTENT) - 1}/{len(CONTENT)}", etag=ETAG)
    script.will_answer(206, CONTENT[BLOCK_BYTES:], content_range=REST, etag=ETAG)
    assert get(script, folder).read_bytes() == CONTENT


def test_refused_range_begins_anew(script: Any, folder: Path) -> None:
    will_break_off(script, after=BLOCK_BYTES + 5)
    script.will_answer(416)
    script.will_answer(200, CONTENT, etag=ETAG)
    assert get(script, folder).read_bytes() == CONTENT
    assert "range" not in script.headers[3]


def test_file_that_changed_in_between_is_that_of_neither_half(script: Any, folder: Path) -> None:
    newer = CONTENT[::-1]
    will_break_off(script, after=BLOCK_BYTES + 5, etag='"first"')
    script.will_answer(200, newer, etag='"second"')  # If-Range: all of it, since it is another
    assert get(script, folder).read_bytes() == newer


def test_damaged_download_is_tried_once_more_and_then_thrown_away(script: Any, folder: Path) -> None:
    script.will_answer(200, CONTENT, etag=ETAG)
    for _ in range(2):
        script.will_answer(200, CONTENT[::-1], etag=ETAG)
    with pytest.raises(DamagedError, match=rf"weights: .* the hub's is {SHA256}. It was deleted. Try again"):
        get(script, folder)
    assert [path for path in folder.glob("*/*") if path.suffix != ".lock"] == []


def test_download_that_came_damaged_once_is_healed(script: Any, folder: Path) -> None:
    script.will_answer(200, CONTENT, etag=ETAG)
    script.will_answer(200, CONTENT[::-1], etag=ETAG)
    script.will_answer(200, CONTENT, etag=ETAG)
    assert get(script, folder).read_bytes() == CONTENT


def test_file_that_was_damaged_in_the_cache_is_downloaded_again(script: Any, folder: Path) -> None:
    for _ in range(4):
        script.will_answer(200, CONTENT, etag=ETAG)
    get(script, folder).write_bytes(b"bit rot")
    assert get(script, folder).read_bytes() == CONTENT


@pytest.mark.parametrize("etags", [('"one"', '"two"'), ("", ""), (ETAG, f'"{hashlib.sha256(b"other").hexdigest()}"')])
def test_other_file_of_the_same_name_is_another_in_the_cache(script: Any, folder: Path, etags: tuple[str, str]) -> None:
    paths = []
    for etag, content in zip(etags, (CONTENT, b"other"), strict=True):
        for _ in range(2):
            script.will_answer(200, content, **({"etag": etag} if etag else {}))
        paths.append(get(script, folder))
    assert [path.read_bytes() for path in paths] == [CONTENT, b"other"]


def test_files_of_two_models_under_the_same_basename_are_two(script: Any, folder: Path) -> None:
    for content in (CONTENT, b"other"):
        for _ in range(2):
            script.will_answer(200, content, etag='"1"')
    first, second = get(script, folder, "/model-a/last.pt"), get(script, folder, "/model-b/last.pt")
    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, b"other")


def test_name_of_the_cache_never_leads_out_of_it(script: Any, folder: Path) -> None:
    for _ in range(2):
        script.will_answer(200, CONTENT, etag='"../../x"')
    path = get(script, folder, "/%2e%2e/..%2f..%2fx.p%2ft?token=/../t")
    assert path.resolve().is_relative_to(folder.resolve())


def test_link_that_has_expired_is_refused_at_once(script: Any, folder: Path) -> None:
    script.will_answer(403)
    with pytest.raises(PermanentError, match=r"/a/last\.pt answered 403") as caught:
        get(script, folder)
    assert "token" not in str(caught.value)


def cached(folder: Path, name: str, *, age_s: float, size_bytes: int = 100) -> Path:
    path = folder / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


def test_cache_is_bounded_and_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    days = {days: cached(folder, f"{days}0.pt", age_s=days * 86400.0) for days in (4, 2, 3)}
    assert cache.prune(folder, limit_bytes=200, now=NOW) == [days[4]]
    assert cache.prune(folder, limit_bytes=200, now=NOW) == []


def test_cache_keeps_what_is_in_use_whatever_the_limit(folder: Path) -> None:
    used, old = cached(folder, "aa.pt", age_s=3600.0), cached(folder, "bb.pt", age_s=9e6)
    under_way = cached(folder, "cc.pt.part", age_s=9e6)
    with cache.lock(under_way.with_suffix("")):
        assert cache.prune(folder, limit_bytes=0, now=NOW) == [old]
    assert used.exists()
    assert cache.prune(folder, limit_bytes=0, now=NOW) == [under_way]


def test_download_notes_its_use_and_makes_room(script: Any, folder: Path) -> None:
    old = cached(folder, "aa.pt", age_s=9e6)
    for _ in range(3):
        script.will_answer(200, CONTENT, etag=ETAG)
    path = get(script, folder)
    assert old.exists()
    os.utime(path, (NOW, NOW))
    get(script, folder, limit_bytes=len(CONTENT))
    assert not old.exists()
    assert path.exists()
