"""The 123 scenarios of supervision: what each is, and which test shows it.

A test in this folder carries the numbers of its scenarios in its name (``test_s023_…``).
``ELSEWHERE`` names tests of other folders, where the thing itself is tested already.
``python -m tests.scenarios.catalog > docs/scenarios.md`` writes the table.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

WHAT = """
1 a start: stopped, starting, running, one process
2 a start while starting
3 a start while running
4 an operator's start while it waits to be tried again
5 an automatic start keeps the failures
6 nothing on the port: find, spawn, ready, connect, each once
7 a compatible gateway is there already: connect only
8 the session ends while the gateway's process lives: connect again, no spawn
9 as 8, but it never answers: ended, then a normal start
10 one transient error at the start
11 a transient error at every start
12 an error of another kind at the start
13 a configuration error of a foreign gateway: one repair
14 a configuration error again after that
15 the repair fails or hangs
16 exit 78 or 77: a person is needed
17 `connect` is answered by "gateway starting"
18 the child exits while it gets ready
19 the gateway accepts and never says a word
20 other and malformed frames before the challenge
21 never ready: bounded by time
22 a stop at every step of a start undoes all of it
23 a stop: SIGTERM, over when the exit is seen
24 the child ignores SIGTERM
25 the child has grandchildren
26 two stops at once
27 a stop during the spawn
28 a stop during backoff
29 a crash during the stop
30 a start while stopping
31 the child is dead before the stop
32 the pid belongs to somebody else by now
33 calls are pending when it stops
34 a restart is pending when it stops
35 the end by force
36 three restarts while starting or waiting
37 a pending restart, then a stop
38 a pending restart is carried out
39 a restart asked for after the spawn of another
40 a restart asked for before the spawn of another
41 a restart right after a restart
42 restarts without end by a person
43 automatic restarts slow down, a person passes
44 stable for five minutes: the next failure is the first
45 counters at their maximum
46 a start that fails inside a restart
47 nothing more after a restart
48 many requests in a short time
49 a person restarts a crash loop
50 a reload policy that is missing or odd
51 debounce times out of range
52 the policy is read once
53 modes off and restart
54 a reload right after the start
55 a reload touches only what changed, no downtime
56 a child that cannot be reloaded is replaced, no crash is counted
57 a configuration write whose answer is lost
58 a configuration write over another one
59 the ladder of waits and its spread
60 one timer, whatever happens
61 what is not wanted is not tried again
62 a timer of an earlier incarnation
63 success: forgiven after health, counted
64 exit and loss of the session: one failure
65 a late exit of the old child
66 late news of a replaced session
67 close 1012: reconnect, no kill
68 closed before hello: tried again
69 failed for good: an operator's start works
70 missed beats are no verdict
71 any sign of life clears the suspicion
72 silence, and the question is answered
73 silence, and the question is not answered
74 silence of a gateway that is not ours
75 an old answer after a new sign of life
76 no secret in what is told about a failure
77 the end of a child cancels its deadline
78 SIGSTOP for a while, and for long
79 the wall clock jumps
80 the host was suspended
81 the port is held by another program
82 the port is held by what we left behind
83 a child just started is no stranger
84 the port stays busy
85 detaching from a gateway that is not ours
86 a call while not connected
87 a call without an answer
88 answers of every shape
89 the socket closes while a call is pending
90 an error that is declared, and one of the transport
91 a slow answer is no failure
92 events known, unknown and malformed
93 each way in which the handshake fails
94 the device identity: missing, damaged, wrong, unreadable
95 a fault of a listener
96 an operator's start clears hold, error and failures
97 two starts at once
98 a crash: told, and tried again after five seconds
99 crash after crash
100 `run` returns
101 a crash after five healthy minutes
102 a manual stop lasts over restarts of the supervisor
103 a manual stop in backoff
104 a manual stop while it waits to be started
105 an operator's start in backoff
106 a start while stopping
107 a worker that ignores the stop
108 recovery stop and manual stop
109 one that fails to stop keeps no other from it
110 late news of an old worker
111 one that cannot be spawned
112 disabled and unconfigured
113 logged out
114 a reset in backoff
115 who decides whether health is monitored
116 the monitor leaves an account in backoff alone
117 an account that says nothing of its connection
118 restarts by the monitor are bounded
119 no start once the supervisor is stopping
120 an hour without network, 500 accounts
121 an account is taken out of the configuration
122 equal names on two channels
123 a hundred accounts crash at once
124 a platform that refuses for a minute what it takes again afterwards
125 refused again and again: a person is needed, and it is tried slowly
126 a password that is refused is tried three times an hour at most
127 it waits for a person who logs it in
128 nobody logs it in in time: no failure, and it waits for a person
129 the worker, the gateway or the supervisor is killed while it waits for a login
"""

# Real processes too.
STARRED = {
    1,
    18,
    23,
    24,
    25,
    27,
    31,
    55,
    56,
    78,
    81,
    82,
    98,
    102,
    107,
    123,
    127,
    129,
}

SESSION = "tests/runtime/supervisor/gateways/test_own_session.py::"
CLIENT = "tests/ipc/websocket/test_client.py::"
CONNECT = "tests/ipc/websocket/test_connect.py::"
PROCESS = "tests/runtime/supervisor/processes/test_process.py::"
DEVICE = "tests/ipc/identity/test_device.py::"
MONITOR = "tests/runtime/supervisor/accounts/test_health_rules.py::"
FOREIGN = "tests/e2e/test_foreign_gateway.py::"
EDIT = "tests/runtime/config/edit/test_checked.py::"
CHANGES = "tests/e2e/test_config_changes.py::"

ELSEWHERE: dict[int, list[str]] = {
    7: [
        FOREIGN + "test_a_running_gateway_is_attached_to_and_outlives_the_daemon",
        FOREIGN + "test_a_gateway_on_the_port_is_attached_to_only_if_configured",
    ],
    8: [SESSION + "test_a_lost_session_is_told_and_opened_again"],
    9: [SESSION + "test_a_gateway_that_cannot_be_reached_becomes_a_fault"],
    13: [FOREIGN + "test_the_configuration_of_a_foreign_gateway_is_repaired_once"],
    14: [FOREIGN + "test_a_permanent_failure_needs_a_person"],
    15: [FOREIGN + "test_a_permanent_failure_needs_a_person"],
    17: [CONNECT + "test_a_starting_gateway_is_tried_again_after_the_time_it_asks_for"],
    19: [
        SESSION + "test_a_gateway_that_accepts_and_says_nothing_becomes_a_fault",
        CONNECT + "test_silence_before_the_challenge_ends_the_try",
    ],
    20: [CLIENT + "test_frames_that_make_no_sense_are_counted_and_skipped"],
    25: [PROCESS + "test_what_a_worker_started_ends_with_it"],
    32: [PROCESS + "test_signals_to_one_that_is_gone_do_nothing"],
    33: [CLIENT + "test_pending_calls_fail_when_the_session_ends"],
    53: [CHANGES + "test_the_reload_mode_decides_whether_the_gateway_is_replaced"],
    58: [EDIT + "test_a_concurrent_change_of_the_file_is_not_overwritten"],
    67: [
        SESSION + "test_a_lost_session_is_told_and_opened_again",
        "tests/runtime/gateway/test_draining.py::test_clients_are_told_and_closed_with_1012",
    ],
    68: [
        CONNECT + "test_a_close_of_a_restart_is_tried_again",
        CONNECT + "test_a_gateway_that_dies_before_hello_is_tried_again",
    ],
    72: [SESSION + "test_an_answer_to_the_last_question_saves_the_gateway"],
    73: [SESSION + "test_a_gateway_that_hangs_is_asked_once_more_then_faulty"],
    82: ["tests/runtime/supervisor/processes/test_leftovers.py::test_only_what_is_ours_is_ended"],
    83: [FOREIGN + "test_a_foreign_gateway_on_the_port_is_named_and_left_running"],
    84: ["tests/e2e/test_port_in_use.py::test_a_port_taken_while_the_gateway_is_down_is_reported"],
    85: [FOREIGN + "test_a_running_gateway_is_attached_to_and_outlives_the_daemon"],
    86: [
        CLIENT + "test_what_is_called_after_the_close_frame_was_not_sent",
        SESSION + "test_telling_without_a_session_does_nothing",
    ],
    87: [CLIENT + "test_no_answer_in_time_and_then_too_late"],
    88: [CLIENT + "test_a_refusal_carries_everything"],
    89: [
        CLIENT + "test_pending_calls_fail_when_the_session_ends",
        "tests/ipc/test_calls.py::test_a_dead_peer_fails_its_own_calls_at_once",
    ],
    90: [SESSION + "test_a_refused_beat_is_a_sign_of_life"],
    91: [SESSION + "test_an_answer_to_the_last_question_saves_the_gateway"],
    92: [
        CLIENT + "test_events_are_iterated_until_the_end",
        CLIENT + "test_frames_that_make_no_sense_are_counted_and_skipped",
    ],
    93: [
        CONNECT + "test_silence_before_the_challenge_ends_the_try",
        CONNECT + "test_a_wrong_token_is_a_refusal_and_never_tried_again",
        CONNECT + "test_something_else_that_listens_is_told_apart",
    ],
    94: [
        DEVICE + "test_an_identity_is_made_once_and_for_its_owner_only",
        DEVICE + "test_a_wrong_id_is_put_right_and_the_mode_restored",
        DEVICE + "test_a_file_without_a_key_is_set_aside",
        DEVICE + "test_a_place_that_cannot_be_written_is_named",
    ],
    95: [CLIENT + "test_a_listener_gets_events_at_once_and_its_faults_stay_its_own"],
    115: [
        "tests/runtime/config/test_accounts.py::"
        "test_the_monitor_is_on_unless_the_nearest_word_says_otherwise"
    ],
    116: [MONITOR + "test_an_account_that_does_not_run_is_left_to_its_backoff"],
    118: [MONITOR + "test_restarts_are_asked_for_apart_and_not_too_often"],
}

# Not shown by a test yet, and why. Delete a number here when its test is there.
PENDING: dict[int, str] = {}


def scenarios() -> dict[int, str]:
    """Return what each number is."""
    rows = (line.split(" ", 1) for line in WHAT.strip().splitlines())
    return {int(number): text for number, text in rows}


def names_in(path: Path) -> list[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.name for n in tree.body if isinstance(n, kinds) and n.name.startswith("test_")]


def numbered() -> dict[int, list[str]]:
    """Return the tests of every number: those named after it, and those of elsewhere."""
    found: dict[int, list[str]] = {number: [] for number in scenarios()}
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        for name in names_in(path):
            for number in re.findall(r"_s(\d{3})(?=_)", name):
                found[int(number)].append(f"{path.relative_to(ROOT)}::{name}")
    for number, tests in ELSEWHERE.items():
        found[number] += tests
    return found


def table() -> str:
    """Return docs/scenarios.md."""
    found = numbered()
    lines = [
        "# Scenarios",
        "",
        "What the supervisor must do in each situation, and the tests that check it. The numbers",
        "are part of the tests' names. Scenarios with ★ are also tested with real processes.",
        "Generated by `python -m tests.scenarios.catalog`; a test compares it with the tests.",
        "",
        "| # | scenario | tests |",
        "|---|---|---|",
    ]
    for number, text in scenarios().items():
        star = " ★" if number in STARRED else ""
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in found[number])
        lines.append(f"| {number} | {text}{star} | {tests or 'none yet: ' + PENDING[number]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
