#!/usr/bin/env python3
"""Simulations of the engine: `sim.py SHOUWANGCTL [NAME…]`.

Each folder beside this file is one.  Its *.jsonl inputs go through `shouwangctl run` (with the options in `args`, and the
configuration in the folder's own config/ or else in config/ here; where it has a then/ too, those in there follow by the
configuration in there), and what comes out is compared:

    messages.jsonl   every message, in order; of each only the fields that are named here
    states.jsonl     the final states, likewise (subjects that are not named aren't compared)
    rejects.txt      every rejected line, in order: how each begins, after the file's name

A list in an expected line is compared whole: as many elements, each with the fields that are named."""

import glob
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import cases  # noqa: E402

EXPECTED = {"messages.jsonl", "states.jsonl"}


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line.strip()]


def differ(got, wanted, at=""):
    """Where got lacks something that is wanted; None: nowhere."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"{at}: got {got!r}, wanted an object"
        for name, value in wanted.items():
            if name not in got:
                return f"{at}.{name}: missing, wanted {value!r}"
            found = differ(got[name], value, f"{at}.{name}")
            if found:
                return found
        return None
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return f"{at}: got {json.dumps(got, ensure_ascii=False)}, wanted {len(wanted)} elements"
        for i, (g, w) in enumerate(zip(got, wanted)):
            found = differ(g, w, f"{at}[{i}]")
            if found:
                return found
        return None
    same = got == wanted and type(got) is type(wanted) or (
        isinstance(got, (int, float)) and isinstance(wanted, (int, float)) and not isinstance(got, bool)
        and not isinstance(wanted, bool) and got == wanted)
    return None if same else f"{at}: got {got!r}, wanted {wanted!r}"


def ctl_run(folder, *options):
    inputs = sorted(path for path in glob.glob(os.path.join(folder, "*.jsonl"))
                    if os.path.basename(path) not in EXPECTED)
    args = os.path.join(folder, "args")
    options = list(options) + (open(args, encoding="utf-8").read().split() if os.path.exists(args) else [])
    config = os.path.join(folder, "config")
    config = config if os.path.isdir(config) else os.path.join(HERE, "config")
    then = os.path.join(folder, "then")
    if os.path.isdir(then):
        inputs += ["--then", then, *sorted(glob.glob(os.path.join(then, "*.jsonl")))]
    done = subprocess.run([CTL, "run", config, *inputs, "--check", *options], capture_output=True, text=True,
                          encoding="utf-8")
    cases.equal(done.returncode, 0, "exit code, " + done.stderr[-2000:])
    return done.stdout.splitlines(), done.stderr.splitlines()[:-1]


def run(folder, *options):
    printed, rejects = ctl_run(folder, *options)
    return [json.loads(line) for line in printed], rejects


def stored(folder, *options):
    """The final states as they are stored, byte for byte."""
    return ctl_run(folder, "--state", "--raw", *options)[0]


def compare(got, wanted, what):
    for i, (g, w) in enumerate(zip(got, wanted)):
        found = differ(g, w)
        cases.expect(found is None, f"{what} {i + 1}{found}\n" + json.dumps(g, ensure_ascii=False)[:1500])
    shown = "\n".join(json.dumps(g, ensure_ascii=False) for g in got)
    cases.expect(len(got) == len(wanted), f"{len(got)} {what}s, wanted {len(wanted)}:\n{shown}")


def simulation(folder):
    def it():
        messages, rejects = run(folder)
        compare(messages, [json.loads(line) for line in lines(os.path.join(folder, "messages.jsonl"))], "message")
        wanted = os.path.join(folder, "rejects.txt")
        wanted = lines(wanted) if os.path.exists(wanted) else []
        small = run(folder, "--batch", "1")[0]
        cases.expect(small == messages, "with batches of one event it prints something else")
        cases.equal(stored(folder, "--batch", "1"), stored(folder), "states of batches of one event")
        rejects = [line[line.index(".jsonl:") + len(".jsonl:"):] for line in rejects]
        for g, w in zip(rejects, wanted):
            cases.expect(g.startswith(w), f"reject: got {g!r}, wanted {w!r}")
        cases.equal(len(rejects), len(wanted), "rejects:\n" + "\n".join(rejects) + "\n")
        states = os.path.join(folder, "states.jsonl")
        if os.path.exists(states):
            wanted = [json.loads(line) for line in lines(states)]
            got = {state["subject"]: state for state in run(folder, "--state")[0]}
            compare([got.get(w["subject"]) for w in wanted], wanted, "state")
    return it


CTL = os.path.abspath(sys.argv.pop(1))
for found in sorted(glob.glob(os.path.join(HERE, "*", "messages.jsonl"))):
    name = os.path.basename(os.path.dirname(found))
    globals()["it_runs_" + name.replace("-", "_")] = simulation(os.path.dirname(found))

if __name__ == "__main__":
    cases.main(globals())
