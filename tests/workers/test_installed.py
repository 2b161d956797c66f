"""What is found by entry point, whatever it is: the rules that channels and agents share."""

from __future__ import annotations

import pytest

from workers.installed import (
    InstalledManifests,
    UnusableManifest,
    flaw_of_code,
    flaw_of_config,
    flaw_of_fields,
    flaw_of_identity,
    load_manifest,
)


def sound(id: str, manifest: object) -> str | None:
    return None if isinstance(manifest, str) else "is no text"


def test_what_is_found_keeps_what_is_broken_apart() -> None:
    found: InstalledManifests[str] = InstalledManifests()
    built_in = {"words": "string:digits", "gone": "string:nothing", "odd": "string:Template"}
    found.find("thing", "trunkline.nothing.at.all", built_in, sound)
    assert {each.ref for each in found.values()} == {"string:digits"}
    assert list(found) == ["words"]
    assert (found["words"].manifest, found["words"].package) == ("0123456789", "trunkline")
    assert found.broken["odd"] == "trunkline: string:Template is no text"
    assert "AttributeError" in found.broken["gone"]
    assert found.warnings[1].startswith("thing odd of trunkline cannot be used: string:Template")


def test_a_reference_without_a_name_means_the_manifest() -> None:
    with pytest.raises(UnusableManifest, match="has no attribute 'manifest'"):
        load_manifest("x", "string", sound)


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        (flaw_of_identity("a", "a"), None),
        (flaw_of_identity("a", "b"), "calls itself 'b', but its entry point is named 'a'"),
        (flaw_of_identity("a/b", "a/b"), "has the id 'a/b'; allowed: 1 to 64"),
        (flaw_of_code("agent", "a.b:C"), None),
        (flaw_of_code("agent", "a.b"), "has the agent 'a.b'; allowed: package.module:Class"),
        (flaw_of_config(dict), "has a config that is not a msgspec.Struct"),
        (flaw_of_fields({"model"}, ["model.key"], {"name"}, "agent"), None),
        (flaw_of_fields({"name"}, [], {"name"}, "agent"), "that every agent has already: name"),
        (flaw_of_fields({"a"}, ["b.c"], {"name"}, "agent"), "secrets that are no config fields: b"),
    ],
)
def test_what_makes_one_unusable_is_named(flaw: str | None, said: str | None) -> None:
    assert flaw is None if said is None else said in str(flaw)
