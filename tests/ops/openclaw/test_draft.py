"""The configuration in the making, and its notes."""

from __future__ import annotations

from ops.openclaw.draft import Draft, FieldPlace, Note, path_of, plain
from ops.openclaw.variables import Variables

DRAFT_VARIABLES = Variables(inline={"NAME": "bot"})


def test_each_value_is_put_in_and_noted() -> None:
    draft = Draft(DRAFT_VARIABLES)
    draft.copy("a", ("x", "a"), 1)
    draft.copy("b", ("x", "b"), "${NAME}!")
    draft.copy("c", ("x", "c"), "${NONE}")
    draft.note_fixed("d", "is so")
    draft.spread("e", [("y", "e"), ("z", "e")], 2, "each")
    assert draft.config == {"x": {"a": 1, "b": "bot!"}, "y": {"e": 2}, "z": {"e": 2}}
    assert [(note.group, note.path) for note in draft.notes] == [
        ("taken", "a"),
        ("changed", "b"),
        ("left", "c"),
        ("taken", "d"),
        ("changed", "e"),
        ("changed", "z.e (not set)"),
    ]
    assert draft.used_variables == {"NAME"}


def test_a_value_that_is_withdrawn_is_left() -> None:
    draft = Draft(DRAFT_VARIABLES)
    draft.copy("a", ("x", "a"), 1)
    draft.withdraw(draft.notes[0], "refused")
    assert draft.config == {"x": {}}
    assert draft.notes == [Note("left", "a", (), "refused")]
    draft.remove(("none", "such"))


def test_what_is_not_there_is_none() -> None:
    draft = Draft(DRAFT_VARIABLES)
    draft.copy("a", ("x",), [1])
    assert draft.value(("x",)) == [1]
    assert draft.value(("x", "y")) is None
    assert not draft.has(("y",))


def test_objects_of_numbers_become_lists() -> None:
    values = {"bindings": {"[0]": {"a": {"[x": 1}}, "[2]": 2}, "other": {"[0]": 1, "b": 2}}
    assert plain(values) == {
        "bindings": [{"a": {"[x": 1}}, 2],
        "other": {"[0]": 1, "b": 2},
    }
    assert path_of(("bindings", "[0]", "agentId")) == "bindings[0].agentId"


def test_a_place_inside_another_one() -> None:
    place = FieldPlace("a.groups", ("x",), "groups").inside("#room")
    assert place == FieldPlace("a.groups.#room", ("x", "groups"), "#room")
