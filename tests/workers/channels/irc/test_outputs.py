"""The vocabulary between the pure parts and the plugin."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from workers.channels.irc import outputs
from workers.channels.irc.outputs import Output, SendLine


def test_every_class_of_the_module_is_an_output_that_the_plugin_must_perform() -> None:
    """The plugin's ``match`` ends in ``assert_never``: the types check that none is left out."""
    classes = {
        value
        for value in vars(outputs).values()
        if isinstance(value, type) and value.__module__ == outputs.__name__
    }
    assert set(get_args(Output)) == classes
    assert all(issubclass(each, msgspec.Struct) for each in classes)


def test_an_output_is_a_value() -> None:
    assert SendLine("QUIT") == SendLine("QUIT", urgent=False)
    assert len({SendLine("QUIT"), SendLine("QUIT"), SendLine("QUIT", urgent=True)}) == 2
    with pytest.raises(AttributeError):
        SendLine("QUIT").line = "JOIN #a"  # type: ignore[misc]
