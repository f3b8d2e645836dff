"""Compares what the daemons left in Kafka and Redis with what the engine alone makes of the same events: each message,
outcome and reject exactly once, each subject's in their order, and the states byte for byte."""

import collections
import json

import stage as staging


class Found:
    """What is there, read with read_committed."""

    def __init__(self, queues, outcomes, rejects, changelog, cached):
        self.queues, self.outcomes, self.rejects = queues, outcomes, rejects
        self.changelog, self.cached = changelog, cached

    @classmethod
    def of(cls, stage):
        rejects = [(r["headers"]["reason"], staging.value_of(r)) for r in stage.rejects()]
        outcomes = [json.loads(r["value"]) for r in staging.lines(stage.peek("read", stage.settings["TOPICS_OUTCOMES"]))]
        return cls(stage.queues(), outcomes, rejects, stage.peek("raw-states"), stage.peek("raw-cached"))


class Verdict:
    """faults: sentences, empty where all is as it must be; figures: how much was compared, for the table."""

    def __init__(self, expected, found):
        self.faults, self.figures = [], {}
        got = [m for queue in found.queues for m in queue]
        self.faults += staging.differences(expected.messages, *found.queues)
        self.count("messages", map(staging.name, expected.messages), map(staging.name, got))
        self.count("outcomes", map(plain, expected.outcomes), map(plain, found.outcomes))
        self.count("rejects", expected.rejects, ((reason, value) for reason, value in found.rejects))
        self.unlike("outcome", map(plain, expected.outcomes), map(plain, found.outcomes))
        self.unlike("reject", map(str, expected.rejects), map(str, found.rejects))
        ids = collections.Counter(o["id"] for o in found.outcomes)
        self.faults += [f"id of an outcome given {n} times: {id_}" for id_, n in ids.items() if n > 1]
        for where, states in (("changelog", found.changelog), ("Redis", found.cached)):
            self.states(where, expected.states, states)

    def count(self, what, expected, got):
        expected, got = collections.Counter(expected), collections.Counter(got)
        lost, more = expected - got, got - expected
        self.figures[what] = {"expected": expected.total(), "got": got.total(), "lost": lost.total(),
                              "repeated": sum(n for key, n in more.items() if key in expected),
                              "unexpected": sum(n for key, n in more.items() if key not in expected)}

    def unlike(self, what, expected, got):
        expected, got = collections.Counter(expected), collections.Counter(got)
        self.faults += [f"lost, {n} times: {what} {text}" for text, n in (expected - got).items()]
        self.faults += [f"too many, {n} times: {what} {text}" for text, n in (got - expected).items()]

    def states(self, where, expected, got):
        expected, got = (dict(line.rsplit(" ", 1) for line in text.split("\n") if line) for text in (expected, got))
        unlike = [key for key in sorted(expected.keys() | got.keys()) if expected.get(key) != got.get(key)]
        self.figures["states in " + where] = {"compared": len(expected), "unlike": len(unlike)}
        self.faults += [f"state in {where}: {key}\n  wanted {expected.get(key)}\n  got    {got.get(key)}" for key in unlike]

    def lines(self):
        for what, figures in self.figures.items():
            yield f"{what}: " + ", ".join(f"{name} {n}" for name, n in figures.items())

    def must_be_right(self, more=""):
        shown = "\n".join(fault[:2000] for fault in self.faults[:10])
        staging.expect(not self.faults, f"{shown}\n({len(self.faults)} faults)\n{more}")


def plain(outcome):
    return json.dumps(staging.content(outcome), sort_keys=True, ensure_ascii=False)
