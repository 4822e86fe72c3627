"""What is wrong with a request, in sentences that say what to send instead; pydantic's own speak of its types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from hub_callbacks import wire

_PLACES: Final = {"query": "parameter", "header": "header", "path": "part of the path", "cookie": "cookie"}
_SECRET: Final = re.compile("password|key|token", re.IGNORECASE)
_SHOWN_CHARS: Final = 100
_MOST: Final = 10  # sentences
_BRANCH: Final = re.compile(r"float|int|str|literal\[.*")  # what pydantic adds to the place of a value of several kinds
_PATTERNS: Final[Mapping[str, str]] = {
    wire.ID_PATTERN: "an ID, which has 20 letters and digits",
    r"^\d{1,9}$": "a number of up to 9 digits",
    r"^[0-9]{0,18}$": "the lastRecordId of the page before",
    r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$": "an e-mail address",
}
_KINDS: Final[Mapping[str, str]] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number, and smaller",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_type": "text",
    "string_unicode": "text",
}
_BOUNDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than_equal": lambda limits: f"{limits['ge']:g} or more",
    "less_than_equal": lambda limits: f"{limits['le']:.0f} or less",
    "literal_error": lambda limits: f"{limits['expected']}",
    "string_pattern_mismatch": lambda limits: _PATTERNS.get(
        limits["pattern"], f"text that matches {limits['pattern']}"
    ),
    "string_too_long": lambda limits: f"{limits['max_length']} characters long at most",
    "string_too_short": lambda limits: f"{limits['min_length']} characters long at least",
}


def complaint(errors: Iterable[Mapping[str, Any]]) -> str:
    """A sentence for each field that is wrong, of the errors that pydantic lists; it repeats nothing secret."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for error in errors:
        place = tuple(error["loc"])
        is_branch = len(place) > 2 and _BRANCH.fullmatch(str(place[-1])) is not None
        found.setdefault(place[:-1] if is_branch else place, []).append(error)
    sentences = [_sentence(place, wrong) for place, wrong in islice(found.items(), _MOST)]
    return " ".join([*sentences, *([f"And {len(found) - _MOST} more."] if len(found) > _MOST else [])])


def _sentence(place: Sequence[Any], errors: Sequence[Mapping[str, Any]]) -> str:
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"The body is no JSON, from character {place[-1]} on: {first['ctx']['error']}."
    name = _name(place)
    if first["type"] == "missing":
        return f"{name} is missing." if len(place) > 1 else "The request has no body: send a JSON object."
    wanted = " or ".join(dict.fromkeys(map(_wanted, errors)))
    return f"{name} must be {wanted}{_shown(place, first['input'])}."


def _name(place: Sequence[Any]) -> str:
    source, *path = place
    if not path:
        return "The body"
    name = ".".join(str(part)[:_SHOWN_CHARS] for part in path if part != "[key]")
    return f"The {'name' if path[-1] == '[key]' else _PLACES.get(source, 'field')} {name!r}"


def _wanted(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind in _BOUNDS:
        return _BOUNDS[kind](error["ctx"])
    return _KINDS.get(kind, f"something else ({error['msg']})")


def _shown(place: Sequence[Any], given: Any) -> str:
    """What was given instead, where that is short and no secret."""
    said = json.dumps(given) if given is None or isinstance(given, bool) else repr(given)
    is_secret = any(_SECRET.search(str(part)) for part in place)
    return "" if isinstance(given, dict | list) or is_secret or len(said) > _SHOWN_CHARS else f", not {said}"
