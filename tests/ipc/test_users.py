"""A user has a name, or else a number."""

from __future__ import annotations

import os
import pwd

from ipc.users import user_name


def test_a_user_has_a_name_or_else_a_number() -> None:
    assert user_name(0) == "root"
    assert user_name(os.geteuid()) == pwd.getpwuid(os.geteuid()).pw_name
    assert user_name(54_321) == "54321"  # as of a user of a container's host
