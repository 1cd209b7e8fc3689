"""How a field is checked, with OpenAI's wording. Which fields there are stands in validate.py."""

from dataclasses import dataclass
from typing import Any

from . import errors


@dataclass(frozen=True)
class Field:
    """One field's rule."""

    kinds: str
    """Words of: string integer number boolean array object any."""
    null: bool = False
    required: bool = False
    values: tuple[str, ...] = ()


EXPECTED = {
    "string": "a string", "integer": "an integer", "number": "a decimal", "boolean": "a boolean",
    "array": "an array", "object": "an object",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """JSON's name for a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, python in (("string", str), ("integer", int), ("number", float), ("array", list), ("object", dict)):
        if isinstance(value, python):
            return kind
    return "object"


def check_field(value: Any, field: Field, path: str) -> None:
    """Type and value of one field."""
    kind = kind_of(value)
    allowed = field.kinds.split()
    if kind == "null" and field.null or "any" in allowed:
        return
    if kind not in allowed and not (kind == "integer" and "number" in allowed):
        wanted = f"one of {listed(field.values)}" if field.values else " or ".join(EXPECTED[name] for name in allowed)
        got = "null" if kind == "null" else EXPECTED[kind]
        raise errors.invalid(
            f"Invalid type for '{path}': expected {wanted}, but got {got} instead.", path, "invalid_type"
        )
    if field.values and value not in field.values:
        raise errors.invalid(
            f"Invalid value: '{value}'. Supported values are: {listed(field.values)}.", path, "invalid_value"
        )


def check_object(value: dict[str, Any], fields: dict[str, Field], path: str) -> None:
    """Every field of an object, and no other."""
    start = f"{path}." if path else ""
    for name, one in value.items():
        if name not in fields:
            raise errors.invalid(f"Unknown parameter: '{start}{name}'.", start + name, "unknown_parameter")
        check_field(one, fields[name], start + name)
    for name, field in fields.items():
        if field.required and name not in value:
            raise errors.missing(start + name)


def listed(values: tuple[str, ...]) -> str:
    """Values as OpenAI lists them: 'a', 'b', and 'c'."""
    quoted = [f"'{value}'" for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
