#!/usr/bin/env python3
"""Promises of the engine on a county's sample: `properties.py SHOUWANGCTL [NAME…]`.

What comes out depends on the events alone: not on repeats, on the size of a batch, or on a second run; and what is known
at the end (facts, members, measures, verdicts) not on the order of arrival or on the number of partitions either."""

import collections
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import cases  # noqa: E402

CONFIG = os.path.join(HERE, "..", "..", "config")
HOUSEHOLDS, MONTHS = 400, 18
UNTIL = "2026-07-01"       # the sample's end
LONG_AFTER = "2028-01-01"  # every window has run out
DAY = 86400
FOLDER = tempfile.TemporaryDirectory(prefix="shouwang-sim-")


def ctl(*words):
    done = subprocess.run([CTL, *words], capture_output=True)
    cases.equal(done.returncode, 0, f"exit code of {words[0]}: " + done.stderr.decode()[-2000:])
    return done.stdout


def sample(seed, households=HOUSEHOLDS):
    return ctl("sample", "--households", str(households), "--months", str(MONTHS), "--seed", str(seed)).splitlines(True)


def write(name, lines):
    path = os.path.join(FOLDER.name, name)
    with open(path, "wb") as out:
        out.writelines(lines)
    return path


def run(path, *options):
    """(messages, states) as they are printed."""
    states = path + ".states"
    return ctl("run", CONFIG, path, "--quiet", "--check", f"--state={states}", *options), open(states, "rb").read()


def parsed(text):
    return [json.loads(line) for line in text.splitlines()]


def known(states, until):
    """Of each subject what is known, and, once every window has run out, which alerts are open.  (An unknown verdict, of a
    month that is late, neither opens nor clears an alert: what became of that rule depends on the order.)"""
    found = {}
    for s in parsed(states):
        alerts = sorted((a["rule"], a["level"]) for a in s["alerts"] if a["state"] in ("open", "clearing")
                        and a["rule"] != "below-monitoring-line") if until == LONG_AFTER else None
        found[s["subject"]] = {field: s.get(field) for field in ("exists", "since", "facts", "members", "measures", "values")}
        found[s["subject"]]["alerts"] = alerts
    return found


def same(got, wanted, what):
    if got == wanted:
        return
    if isinstance(got, dict):
        for subject in sorted(set(got) | set(wanted)):
            g, w = got.get(subject), wanted.get(subject)
            if g != w:
                for field in (g or {}):
                    if not w or g[field] != w.get(field):
                        raise AssertionError(f"{what}: {subject}.{field}:\n got   {g[field]}\n wanted {w and w[field]}")
                raise AssertionError(f"{what}: {subject}: got {g}, wanted {w}")
    for g, w in zip(got.splitlines(), wanted.splitlines()):
        if g != w:  # the two lines from where they differ
            at = max(0, next(i for i in range(len(g)) if g[i:i + 1] != w[i:i + 1]) - 200)
            raise AssertionError(f"{what}:\n got   …{g[at:at + 500]}\n wanted …{w[at:at + 500]}")
    raise AssertionError(f"{what}: {len(got.splitlines())} lines, wanted {len(wanted.splitlines())}")


def it_gives_the_same_twice():
    path = write("events", EVENTS)
    same(run(path)[0], run(path)[0], "messages")
    cases.expect(sample(1) == EVENTS, "the same seed gave another sample")
    cases.expect(sample(2) != EVENTS, "another seed gave the same sample")


def it_opens_a_plausible_number_of_cases():
    opened = {m["subject"] for m in parsed(run(write("events", EVENTS))[0])}
    cases.expect(0.015 * HOUSEHOLDS < len(opened) < 0.08 * HOUSEHOLDS, f"{len(opened)} of {HOUSEHOLDS} households")
    rules = collections.Counter(a["rule"] for m in parsed(ctl("run", CONFIG, write("more", sample(5, 4000)), "--quiet", "--messages"))
                                for a in m["data"]["alerts"])
    for rule in ("medical-burden", "below-dibao-standard", "severe-uncovered", "below-monitoring-line", "child-visit"):
        cases.expect(rules[rule] > 3, f"{rule} never fires: {rules}")


def it_does_not_depend_on_the_size_of_a_batch():
    path = write("events", EVENTS)
    messages, states = run(path, "--raw")
    for size in ("1", "7", "100000"):
        got = run(path, "--raw", "--batch", size)
        same(got[0], messages, f"messages in batches of {size}")
        same(got[1], states, f"states in batches of {size}")


def events_twice_change_nothing():
    messages, states = run(write("events", EVENTS))
    at_once = run(write("twice", [line for line in EVENTS for _ in range(2)]))
    same(at_once[0], messages, "messages, each event twice at once")
    same(at_once[1], states, "states, each event twice at once")
    shuffler, again = random.Random(3), []
    for i, line in enumerate(EVENTS):
        again.append(line)
        again.extend(shuffler.sample(EVENTS[max(0, i - 2000):i + 1], 1) if shuffler.random() < 0.5 else [])
    later = run(write("again", again))
    same(later[0], messages, "messages, events again later")
    same(later[1], states, "states, events again later")


def the_order_of_arrival_does_not_matter_in_the_end():
    path = write("events", EVENTS)
    wanted = {until: known(run(path, "--values", "--until", until)[1], until) for until in (UNTIL, LONG_AFTER)}
    cases.expect(sum(len(s["alerts"]) for s in wanted[LONG_AFTER].values()) > 5, "no alert is open at the end")
    cases.expect(sum(s["values"]["medical_self_paid"] > 0 for s in wanted[UNTIL].values()) > 99, "no values")
    for seed in range(3):
        shuffler = random.Random(seed)
        # every line up to 3,000 places from where it was: some three months
        keyed = sorted((i + shuffler.uniform(0, 3000), line) for i, line in enumerate(EVENTS))
        path = write("shuffled", [line for _, line in keyed])
        for until in (UNTIL, LONG_AFTER):
            same(known(run(path, "--values", "--until", until)[1], until), wanted[until], f"what is known on {until}, order {seed}")


def the_number_of_partitions_does_not_matter_in_the_end():
    path = write("events", EVENTS)
    for until in (UNTIL, LONG_AFTER):
        wanted = run(path, "--partitions", "1", "--values", "--until", until)
        for partitions in ("3", "8", "64"):
            got = run(path, "--partitions", partitions, "--values", "--until", until)
            same(known(got[1], until), known(wanted[1], until), f"what is known on {until} on {partitions} partitions")


def no_event_is_lost_among_faulty_ones():
    path = write("events", EVENTS)
    rejects = os.path.join(FOLDER.name, "rejects")
    ctl("run", CONFIG, path, "--quiet", "--rejects", rejects)
    rejected = [json.loads(line) for line in open(rejects, encoding="utf-8")]
    numbers = {r["line"] for r in rejected}
    cases.expect(len(numbers) == len(rejected) > 10, f"{len(rejected)} rejects of {len(numbers)} lines")
    clean = write("clean", [line for i, line in enumerate(EVENTS, 1) if i not in numbers])
    # a rejected event's time still moves its partition's clock: what is known in the end is the same
    for until in (UNTIL, LONG_AFTER):
        same(known(run(path, "--values", "--until", until)[1], until),
             known(run(clean, "--values", "--until", until)[1], until), "without faulty lines")
    for r in rejected:
        line = EVENTS[r["line"] - 1].rstrip(b"\n")
        cases.expect(r.get("value", "").encode() == line or "value_base64" in r, f"line {r['line']} is not told as it is")


def a_reason_never_holds_a_value():
    rejects = os.path.join(FOLDER.name, "rejects")
    ctl("run", CONFIG, write("many", sample(9, 3000)), "--quiet", "--rejects", rejects)
    reasons = collections.Counter(json.loads(line)["reason"] for line in open(rejects, encoding="utf-8"))
    cases.expect(len(reasons) >= 10, f"fewer than ten kinds: {reasons}")
    for reason in reasons:
        for value in ("约三千元", "2026-02-30", "县人民医院", "脱贫户", "360704"):
            cases.expect(value not in reason.replace("expected one of 脱贫不稳定户", ""), reason)
    named = {reason.split(":")[0] for reason in reasons}
    for field in ("event", "specversion", "subject", "time", "data.self_paid", "data.settlement_no", "data.settled_on",
                  "data.category"):
        cases.expect(field in named, f"no reject names {field}: {named}")


def the_shares_are_as_promised():
    done = subprocess.run([CTL, "sample", "--households", "3000", "--months", "18", "--seed", "4", "--figures"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    words = done.stderr.replace(",", "").split()
    share = {words[i + 2]: float(words[i]) for i in range(2, len(words) - 2) if words[i + 1] == "%"}
    for name, wanted in {"late": 3, "repeated": 2, "corrected": 1, "retracted": 0.5, "faulty": 0.2}.items():
        cases.expect(0.8 * wanted < share[name] < 1.25 * wanted, f"{name}: {share[name]} %, wanted {wanted} %")


def masks_hold_in_states_and_messages():
    messages, states = run(write("events", EVENTS))
    phones = {json.loads(line)["data"].get("phone") for line in EVENTS
              if b"cn.household.profile" in line and b'"phone"' in line}
    cases.expect(len(phones) > HOUSEHOLDS / 2, "the sample has no phones")
    for phone in phones:
        cases.expect(phone.encode() not in messages and phone.encode() not in states, "a phone number in clear")
    _, clear = run(write("events", EVENTS), "--unmasked")
    cases.expect(any(phone.encode() in clear for phone in phones), "--unmasked masks")


CTL = os.path.abspath(sys.argv.pop(1))
EVENTS = sample(1)
PREFIXES = cases.PREFIXES = cases.PREFIXES + ("events_", "masks_")

if __name__ == "__main__":
    cases.main(globals())
