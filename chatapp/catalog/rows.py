"""Reads tables of the catalog's TOML files, with errors that name the file, the row and the field."""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

T = TypeVar("T")


class CatalogError(ValueError):
    """A catalog file is wrong; the message says in which row and field, and what was expected."""


def tables(text: str, file: str, known: frozenset[str]) -> dict[str, Any]:
    """The top-level tables of a TOML file; CatalogError for broken TOML or a table not in `known`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{file}: not valid TOML: {error}") from error
    for name in data:
        if name not in known:
            raise CatalogError(f"{file}: unknown table {name!r}, expected one of {', '.join(sorted(known))}")
    return data


class Row:
    """One TOML table being read. Every field must be asked for: `end` refuses what nobody knows."""

    def __init__(self, where: str, data: object) -> None:
        if not isinstance(data, dict):
            raise CatalogError(f"{where}: expected a table, got {data!r}")
        self.where = where
        self._data: dict[str, Any] = data
        self._asked: set[str] = set()

    def wrong(self, name: str, expected: str) -> CatalogError:
        """The error for field `name`, for the caller to raise."""
        got = repr(self._data[name]) if name in self._data else "nothing"
        return CatalogError(f"{self.where}: {name}: expected {expected}, got {got}")

    def has(self, name: str) -> bool:
        return name in self._data

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(name, "a text")
        return value

    def whole(self, name: str, least: int = 1) -> int:
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.wrong(name, f"a whole number of at least {least}")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def day(self, name: str) -> date:
        value = self._take(name)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(name, "a date such as 2026-11-22")
        return value

    def table(self, name: str) -> dict[str, Any]:
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, "a table")
        return value

    def texts(self, name: str, among: tuple[str, ...]) -> tuple[str, ...]:
        """A list of different texts, each one of `among`; empty when the field is absent."""
        value = self._take(name, [])
        if not isinstance(value, list) or any(text not in among for text in value) or len(set(value)) < len(value):
            raise self.wrong(name, f"a list of different texts out of {', '.join(among)}")
        return tuple(value)

    def amount(self, name: str) -> Decimal:
        """An exact non-negative decimal. Written as a text, because a TOML number would become a float."""
        value = self._take(name)
        try:
            amount = Decimal(value) if isinstance(value, str) else Decimal("NaN")
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            raise self.wrong(name, 'a decimal in quotes such as "0.10"')
        return amount

    def named(self, name: str, among: Mapping[str, T]) -> T:
        """The member of `among` that this field names."""
        value = self._take(name)
        if not isinstance(value, str) or value not in among:
            raise self.wrong(name, f"one of {', '.join(among) or '(none defined)'}")
        return among[value]

    def end(self) -> None:
        """CatalogError if a field was not asked for: a misspelt one would be ignored silently."""
        for name in self._data:
            if name not in self._asked:
                raise CatalogError(f"{self.where}: {name}: unknown field")

    def _take(self, name: str, default: object = None) -> Any:
        self._asked.add(name)
        return self._data.get(name, default)
