"""What addresses say behind the question mark, where routes share it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

_PAGE: Final = 10  # hub-sdk's own default
_LARGEST_PAGE: Final = 1000
_WHOLE: Final = re.compile("-?[0-9]+")


def _whole(text: Any) -> Any:
    if isinstance(text, str) and not _WHOLE.fullmatch(text):
        raise PydanticCustomError("int_parsing", "It is no whole number.")
    return text


WHOLE: Final = BeforeValidator(_whole)  # pydantic's own also takes 1.0, which no program means
_Size = Annotated[int | None, WHOLE, WithJsonSchema({"type": "integer"})]
_Cursor = Annotated[str, Field(pattern="^[0-9]{0,18}$")]


class PageQuery(BaseModel):
    """Which to list, in the words of every hub-sdk."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    limit: Annotated[_Size, Field(description="How many a page.")] = None
    per_page: Annotated[_Size, Field(description="The same, to hub-sdk 0.0.8 and before.")] = None
    last_doc_id: Annotated[_Cursor, Field(alias="last_doc_id", description="lastRecordId of the page before.")] = ""
    last_record_id: Annotated[_Cursor, Field(description="The same, to hub-sdk 0.0.8 and before.")] = ""
    page: Annotated[int, Field(ge=0, le=10**9, description="Pages to leave out first."), WHOLE] = 0
    query: Annotated[str, Field(max_length=256, description="Looked for in the names.")] = ""
    public: Annotated[bool, Field(description="Only what anyone may read. Needs no key.")] = False

    @property
    def size(self) -> int:
        """How many a page."""
        return min(max(self.limit or self.per_page or _PAGE, 1), _LARGEST_PAGE)

    @property
    def cursor(self) -> str | None:
        """Where the page before ended."""
        return self.last_doc_id or self.last_record_id or None

    @property
    def offset(self) -> int:
        """How many to leave out first."""
        return 0 if self.cursor else self.page * self.size
