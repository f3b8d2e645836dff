#!/usr/bin/env python3
"""The harness must be able to fail: after a small run without a fault all is found right, and whatever is then spoiled,
one thing at a time, is found.  usage: test_verify.py BUILD [CASE…]"""

import contextlib
import copy
import functools
import json
import os
import random
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "kafka")]
import stage as staging  # noqa: E402  (finds tests/lib for the rest)
import cases  # noqa: E402
from cases import equal, expect  # noqa: E402
from servers import Unavailable, fetch_kafka  # noqa: E402
import reload  # noqa: E402
from verify import Found, Verdict  # noqa: E402
from world import World  # noqa: E402

PROGRAMS = staging.Programs(sys.argv.pop(1))
STACK = contextlib.ExitStack()


@functools.lru_cache(None)
def finished():
    """A world in which all is done."""
    folder = STACK.enter_context(staging.temporary_folder())
    world = World(PROGRAMS, folder, 1, 1, random.Random(1))
    STACK.callback(world.close)
    world.servers()
    world.load(faults=0, households=60)
    world.stage.daemon().start()
    world.settle()
    world.stage.stop()
    return world


@functools.lru_cache(None)
def found():
    return Found.of(finished().stage)


def judge(spoil):
    """Verdict on a copy of what was found, spoiled."""
    spoiled = copy.deepcopy(found())
    spoil(spoiled)
    return Verdict(finished().work.expected, spoiled)


def told(verdict, sentence, what=None, **figures):
    """The verdict says it, and counts it."""
    expect(any(sentence in fault for fault in verdict.faults), f"nothing like {sentence!r} in {verdict.faults}")
    for name, n in figures.items():
        equal(verdict.figures[what][name], n, f"{what} {name}")


def the_unspoiled_run_is_right():
    verdict = Verdict(finished().work.expected, found())
    equal(verdict.faults, [], "faults")
    for what, least in (("messages", 300), ("outcomes", 100), ("rejects", 5)):
        figures = verdict.figures[what]
        expect(figures["expected"] >= least, f"too few to prove anything: {verdict.figures}")
        equal((figures["got"], figures["lost"], figures["repeated"], figures["unexpected"]),
              (figures["expected"], 0, 0, 0), what)
    for where in ("changelog", "Redis"):
        equal(verdict.figures["states in " + where], {"compared": 60, "unlike": 0}, where)


# --- in what was read

def a_missing_message_is_found():
    told(judge(lambda f: f.queues[0].pop(7)), "lost: ", "messages", lost=1, repeated=0)


def a_message_too_many_is_found():
    def spoil(f):
        f.queues[0].append({**f.queues[0][0], "id": "x", "data": {**f.queues[0][0]["data"], "message_no": 999}})
    told(judge(spoil), "not expected: ", "messages", unexpected=1)


def a_changed_message_is_found():
    def spoil(f):
        f.queues[0][3]["data"]["level"] += "er"
    told(judge(spoil), "another content: ")


def an_id_given_twice_is_found():
    def spoil(f):
        f.queues[0][3]["id"] = f.queues[0][4]["id"]
    told(judge(spoil), "id given 2 times")


def a_message_before_its_time_is_found():
    def spoil(f):
        queue = max(f.queues, key=len)
        first = next(i for i, m in enumerate(queue) if m["data"]["message_no"] == 1
                     and any(n["subject"] == m["subject"] for n in queue[i + 1:]))
        queue.append(queue.pop(first))
    told(judge(spoil), "out of order: ", "messages", lost=0, repeated=0, unexpected=0)


def a_missing_outcome_and_one_too_many_are_found():
    told(judge(lambda f: f.outcomes.pop()), "lost, 1 times: outcome", "outcomes", lost=1)
    told(judge(lambda f: f.outcomes.append({**f.outcomes[0], "id": "x"})), "too many, 1 times: outcome", "outcomes",
         repeated=1)
    told(judge(lambda f: f.outcomes.append(f.outcomes[0])), "id of an outcome given 2 times")


def a_missing_reject_and_a_changed_one_are_found():
    told(judge(lambda f: f.rejects.pop()), "lost, 1 times: reject", "rejects", lost=1)
    told(judge(lambda f: f.rejects.append(f.rejects[0])), "too many, 1 times: reject", "rejects", repeated=1)

    def spoil(f):
        reason, value = f.rejects[0]
        f.rejects[0] = (reason, value + b" ")
    told(judge(spoil), "too many, 1 times: reject", "rejects", lost=1, unexpected=1)


def a_missing_state_is_found():
    def spoil(f):
        f.changelog = f.changelog.split("\n", 1)[1]
    told(judge(spoil), "state in changelog: household/", "states in changelog", unlike=1)


# --- in Kafka and Redis themselves; each stays spoiled

def verdict_now():
    return Verdict(finished().work.expected, Found.of(finished().stage))


def one_changed_state_in_redis_is_found():
    world = finished()
    key = found().cached.split(" ", 1)[0]
    for partition in range(world.stage.partitions):
        states = f"{{{world.stage.name}:{partition}}}:states"
        if world.redis.command("HEXISTS", states, key) == b":1\r\n":
            world.redis.command("HSET", states, key, "spoiled")
    told(verdict_now(), f"state in Redis: {key}", "states in Redis", unlike=1)


def one_changed_state_in_the_changelog_is_found():
    stage = finished().stage
    key = found().changelog.split(" ", 1)[0]
    record = next(r for r in staging.lines(stage.peek("read", stage.settings["TOPICS_STATE"])) if r["key"] == key)
    stage.peek("send", stage.settings["TOPICS_STATE"],
               given=json.dumps({"key": key, "value": "spoiled", "partition": record["partition"]}).encode())
    told(verdict_now(), f"state in changelog: {key}", "states in changelog", unlike=1)


def one_repeated_message_is_found():
    stage = finished().stage
    unit = next(unit for unit, queue in zip(stage.units, found().queues) if queue)
    record = staging.lines(stage.peek("read", unit))[0]
    stage.peek("send", unit, given=json.dumps({name: record[name] for name in ("key", "value", "partition")}).encode())
    told(verdict_now(), "repeated 2 times: ", "messages", repeated=1, lost=0)


def why_not():
    if not shutil.which("redis-server"):
        return "redis-server is not installed"
    try:
        fetch_kafka()
        return None
    except Unavailable as why:
        return str(why)


def the_invariants_of_reloads_find_what_breaks_them():
    def message(number, kind="case.opened", case="w/s/u/1"):
        return {"id": f"{case}-{number}", "type": kind, "data": {"case": case, "message_no": number}}

    def state(**case):
        return {("w", "s"): {"cases": [{"unit": "u", "number": 1, "open": True, "messages": 2, **case}]}}

    good = [message(1), message(2, "case.changed")]
    equal(reload.told_faults(good, state()), [], "faults of what is right")
    for messages, states, fault in (
            (good[1:], state(), "messages [2] of"), (good + [message(4)], state(), "messages [1, 2, 4] of"),
            (good + good[1:], state(), "id given 2 times"), (good, state(open=False), "was last told of as"),
            (good[:1] + [message(2, "case.cleared")], state(), "was last told of as"),
            (good, state(messages=3), "which has sent 3"), (good, state(number=2), "nobody was told of"),
            (good + [message(1, case="w/s/u/2")], state(), "no case in any state")):
        got = reload.told_faults(messages, states)
        expect(any(fault in f for f in got), f"{fault!r} isn't found: {got}")
    equal(reload.order_faults([good]), [], "faults of what is in order")
    expect(reload.order_faults([good[::-1]]), "another order isn't found")
    equal(reload.unlike({1: {"a": 1, "due": 2}}, {1: {"a": 1, "due": 3}}, "due"), [], "differences")
    expect(reload.unlike({1: {"a": 1}}, {1: {"a": 2}}) and reload.unlike({1: {"a": 1}}, {}), "a difference isn't found")


if __name__ == "__main__":
    cases.PREFIXES += ("one_",)
    with STACK:
        cases.main(globals(), why_not())
