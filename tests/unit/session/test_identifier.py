from __future__ import annotations

import pytest

from hub_callbacks.errors import IdentifierError
from hub_callbacks.session.identifier import Identifier, parse

ID, KEY, WEB = "i" * 20, "k" * 42, "https://hub.example"


@pytest.mark.parametrize(
    ("identifier", "found"),
    [
        (f"{WEB}/models/{ID}", Identifier(model_id=ID, web_root=WEB)),
        (f"{WEB}/models/{ID}/", Identifier(model_id=ID, web_root=WEB)),
        (f"{WEB}/models/{ID}?api_key={KEY}", Identifier(api_key=KEY, model_id=ID, web_root=WEB)),
        (f"http://h:1/sub/models/{ID}", Identifier(model_id=ID, web_root="http://h:1/sub")),
        (f"{KEY}_{ID}", Identifier(api_key=KEY, model_id=ID)),
        (ID, Identifier(model_id=ID)),
        ("yolo11n.pt", Identifier(filename="yolo11n.pt")),
        ("runs/my_model.yaml", Identifier(filename="runs/my_model.yaml")),
    ],
)
def test_identifier_is_taken_in_every_form(identifier: str, found: Identifier) -> None:
    assert parse(identifier, web_root=WEB) == found


@pytest.mark.parametrize(
    "identifier",
    ["", "yolo11n", f"grpc://else.example/models/{ID}", f"k_{ID}", f"{WEB}/models/x", f"{WEB}/v2/models/x"],
)
def test_other_identifiers_are_refused_with_the_forms(identifier: str) -> None:
    with pytest.raises(IdentifierError, match="KEY_ID"):
        parse(identifier, web_root=WEB)
