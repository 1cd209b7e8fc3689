"""Column types of our own."""

import json
from typing import Any

from django.db import models


class VerbatimJSONField(models.TextField):
    """JSON kept as the text it was written as.

    PostgreSQL's `jsonb` sorts keys and refuses U+0000, but what a provider signed has to go back as
    it came, and the bytes of a prefix decide whether a cache is found. So: text, key order kept,
    everything outside ASCII escaped (which also lets lone surrogates and NULs survive).
    """

    # For type checkers only: django-stubs reads from these what an attribute of this kind takes and gives.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""
