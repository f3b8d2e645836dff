#!/usr/bin/env python3
"""The model of the protocol: as the daemon does it no order of steps and faults breaks a promise, and with any rule
dropped one does, so that the model can fail.

usage: test_protocol.py [--worlds N] [PATTERN…]     N: of each shape, instead of a number that fits a test
       test_protocol.py --rules                      which sentence of the design each rule is, and where it is kept

All shapes are searched to their ends by 500000 worlds each."""

import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "lib"))
import cases  # noqa: E402
from cases import equal, expect  # noqa: E402
from explore import exhaust, walk  # noqa: E402
from protocol import Protocol  # noqa: E402
from rules import FAULTS, RULES  # noqa: E402

WORLDS = 100000

# Small in every way, and large in one.
SHAPES = {
    "two faults": dict(faults=2, events=2),
    "a timer and two faults": dict(faults=2, events=1, timer=True),
    "three events": dict(faults=1, events=3),
    "batches of two": dict(faults=1, events=3, batch=2),
    "a replay by chunks": dict(faults=1, events=3, chunk=1),
    "two partitions": dict(faults=1, events=1, subjects=1, partitions=2),
    "two partitions with timers": dict(faults=1, events=1, subjects=1, partitions=2, timer=True),
}

# What goes wrong without a rule, or without several that cover each other.
DROPPED = [
    (["one transaction"], "twice", dict(events=1, kinds=["crash"])),
    (["offsets always"], "twice", dict(events=1, timer=True, kinds=["rebalance"])),
    (["revocation drops"], "twice", dict(events=1, kinds=["rebalance"])),
    (["copies die"], "lost", dict(events=1, kinds=["aborted"])),
    (["uncertain replaces"], "twice", dict(events=1, kinds=["uncertain"])),
    (["commit first"], "cache", dict(kinds=["expired", "uncertain", "crash"])),
    (["store compares"], "cache", dict(kinds=["restored"])),
    (["missing refuses"], "cache", dict(kinds=["flushed"])),
    (["watermark last"], "cache", dict(kinds=["store"])),
    (["chunk's watermark"], "cache", dict(chunk=1, kinds=["crash", "flushed"], faults=2)),
    (["load compares"], "lost", dict(subjects=1, kinds=["flushed"])),
    (["load compares"], "lost", dict(subjects=1, events=3, kinds=["restored"])),
    (["idle looks"], "stalled", dict(kinds=["flushed"])),
    (["idle looks"], "stalled", dict(events=1, timer=True, kinds=[])),
    (["high watermark"], "stopped", dict(kinds=["crash"])),
    (["barrier first"], "stopped", dict(kinds=["rebalance"])),
    (["barrier", "acknowledged"], "twice", dict(events=1, kinds=["rebalance"])),
    (["barrier", "position from record"], "twice", dict(events=1, kinds=["crash", "store"])),
]
COVERED = ["barrier", "acknowledged", "position from record"]


def told(finding):
    return (f"{finding.worlds} worlds, {finding.steps} steps, {finding.ends} ends, {finding.seconds:.1f} s"
            + ("" if finding.complete else ", not all"))


def holds(name, finding):
    print(f"  {name}: {told(finding)}", flush=True)
    expect(finding.fault is None, f"{finding.fault}\n" + "\n".join(finding.trace))
    expect(finding.ends > 0, "the search met no end: nothing was shown of what is done at last")


def the_protocol_keeps_its_promises():
    for name, shape in SHAPES.items():
        holds(name, exhaust(Protocol(**shape), WORLDS))


def the_protocol_keeps_its_promises_on_long_ways():
    holds("4 events, batches of two, 5 faults", walk(Protocol(events=4, batch=2, timer=True, faults=5), 700, 1))
    holds("two partitions, 5 faults", walk(Protocol(partitions=2, timer=True, chunk=2, faults=5), 400, 2))


def a_rule_that_others_cover_may_be_dropped_alone():
    for rule in COVERED:
        holds(f"without {rule!r}", exhaust(Protocol(dropped=[rule], events=1, faults=1, timer=True), WORLDS))


def finds(dropped, kind, shape):
    def case():
        finding = exhaust(Protocol(dropped=dropped, **shape), WORLDS)
        print(f"  without {', '.join(dropped)}: {finding.fault} ({told(finding)})", flush=True)
        expect(finding.fault is not None, "no fault was found")
        equal(finding.fault.split(":")[0], kind, "kind of fault, after\n" + "\n".join(finding.trace) + "\n")
        # the same search with the rule finds nothing: it is the rule that matters
        expect(exhaust(Protocol(**shape), 2 * finding.worlds).fault is None, "a fault is found with the rule too")
    return case


class Circle:
    """Has an end, and a way from which it can't be reached."""

    def start(self):
        return "start"

    def steps(self, world):
        yield from {"start": [("ends", False, "end"), ("turns off", False, "a")], "a": [("turns", False, "b")],
                    "b": [("turns", False, "a"), ("A FAULT", True, "end")], "end": []}[world]

    def check_end(self, world):
        equal(world, "end", "end")


def a_way_without_end_is_found():
    finding = exhaust(Circle(), WORLDS)
    equal((finding.fault, finding.trace), ("endless: no end can be reached any more", ["turns off"]), "finding")


def every_rule_is_kept_where_it_says():
    sources = {os.path.basename(path): path for folder in ("daemon", "consumers")
               for path in glob.glob(os.path.join(HERE, os.pardir, os.pardir, folder, "**", "*.c"), recursive=True)}
    for _, places in RULES.values():
        for place in places.split("; "):
            file, names = place.split(": ")
            with open(sources[file], encoding="utf-8") as text:
                source = text.read()
            for name in names.split(", "):
                expect(re.search(rf"^[a-z].*\b{name}(\(|\[\] =)", source, re.M), f"no {name} in {file}")


def every_rule_and_every_fault_is_tried():
    equal({rule for dropped, _, _ in DROPPED for rule in dropped}, set(RULES), "rules dropped")
    for kind in FAULTS:
        finding = exhaust(Protocol(kinds=[kind], faults=1, events=1), WORLDS)
        none = exhaust(Protocol(kinds=[], faults=1, events=1), WORLDS)
        expect(finding.worlds > none.worlds, f"{kind} never happens")


for number, (rules, kind, shape) in enumerate(DROPPED):
    globals()[f"no_promise_holds_without_{'_and_'.join(rules)}_{number}"] = finds(rules, kind, shape)

if __name__ == "__main__":
    if sys.argv[1:] == ["--rules"]:
        for rule, (sentence, place) in RULES.items():
            print(f"{rule}: {sentence} ({place})")
        sys.exit(0)
    if "--worlds" in sys.argv:
        at = sys.argv.index("--worlds")
        WORLDS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    cases.PREFIXES += ("every_",)
    cases.main(globals())
