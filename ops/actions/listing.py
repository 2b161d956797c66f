"""Prints the status of accounts and agents: filtered, ordered, and repeatedly if asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ops.actions.accounts import read_status
from ops.connect.target import RuntimeTarget
from ops.exits import UsageFailure
from ops.output.listing import Row, check_names, check_order, condition, ordered, terms
from ops.output.refresh import show_repeatedly
from ops.output.show import show_json, show_yaml
from ops.output.text import clean

FORMS = ("table", "wide", "json", "yaml", "name")
Found = dict[str, Any]
_LISTS = ("accounts", "agents")


class Listing:
    """The filters, order and output form of a listing; by default the worst rows come first.

    ``whole``: every row is listed, however many. Raises ``UsageFailure`` for an unknown form, order
    or filter.
    """

    def __init__(
        self,
        form: str | None,
        order: str | None,
        filters: Sequence[str],
        *,
        as_json: bool,
        whole: bool = False,
    ) -> None:
        self.form = form or ("json" if as_json else "table")
        if self.form not in FORMS:
            raise UsageFailure(f"-o takes {', '.join(FORMS[1:])}; not {form!r}")
        if as_json and self.form != "json":
            raise UsageFailure(f"--json and -o {form} exclude each other")
        self._order = order or ("worst" if self.form in ("table", "wide") else None)
        self._terms = terms(filters)
        self._is_shown = condition(self._terms)
        self._whole = whole or order is not None or bool(filters)
        if order is not None:
            check_order(order)

    @property
    def wide(self) -> bool:
        """Whether a table keeps all columns on a narrow terminal."""
        return self.form == "wide"

    @property
    def fits(self) -> bool:
        """Whether a table is cut to the terminal's height: nobody has asked for certain rows."""
        return self.form == "table" and not self._whole

    def check(self, found: Mapping[str, Any]) -> None:
        """Raise ``OperatorError`` for a filter by a name that a whole status does not have."""
        check_names(self._terms, [row for name in _LISTS for row in found.get(name, ())])

    def of(self, found: Mapping[str, Any]) -> Found:
        """Return ``found`` with its lists filtered and ordered."""
        return {
            name: self._rows(value) if name in _LISTS else value for name, value in found.items()
        }

    def _rows(self, rows: Sequence[Row]) -> list[Row]:
        shown = [row for row in rows if self._is_shown(row)]
        return shown if self._order is None else ordered(shown, self._order)

    def show(self, found: Found, show_tables: Callable[[Found], None]) -> None:
        """Print ``found`` in the chosen form; ``show_tables`` prints the tables."""
        match self.form:
            case "json":
                show_json(found)
            case "yaml":
                show_yaml(found)
            case "name":
                for name in _LISTS:
                    for row in found.get(name, ()):
                        print(clean(row["account"]))
            case _:
                show_tables(found)


def show_status(
    target: RuntimeTarget,
    listing: Listing,
    choose: Callable[[Found], Found],
    show_tables: Callable[[Found], None],
    *,
    watch: bool,
) -> None:
    """Print the status of a runtime once, or until Ctrl-C.

    ``choose`` selects what the command line names. Raises ``UsageFailure`` for ``watch`` with a
    form other than a table, ``OperatorError`` for a filter by an unknown name.
    """

    def show() -> None:
        found = read_status(target)
        listing.check(found)
        listing.show(listing.of(choose(found)), show_tables)

    if watch and listing.form not in ("table", "wide"):
        raise UsageFailure(f"--watch shows a table; it cannot be {listing.form}")
    if watch:
        show_repeatedly(show)
    else:
        show()
