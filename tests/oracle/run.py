#!/usr/bin/env python3
"""Random histories through the engine and through the oracle; the two must agree on every message and outcome."""
import argparse
import datetime
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    import yaml  # noqa: F401
except ImportError:
    print("SKIPPED: oracle: python3-yaml isn't installed\n0 passed, 0 failed, 1 skipped")
    sys.exit(77)
from compare import Batch, EngineFailed
from gen import ALL_FEATURES, Gen
from shrink import Shrinker, rule_test

SUBJECTS = 5


def make(seed, number, features, subjects):
    g = Gen(f"{seed}/{number}", features)
    documents = g.config()
    events = g.history([f"s{i}" for i in range(subjects)])
    return Batch(documents, events, g.start + datetime.timedelta(g.days + g.pick([10, 40, 40, 100])))


def one(task):
    seed, number, features, subjects, ctl, shrink = task
    folder = tempfile.mkdtemp(prefix="oracle-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        batch = make(seed, number, features, subjects)
        differences = batch.run(os.path.join(folder, "c"), ctl)
        texts = []
        for d in differences:
            text = f"{d[0]}: {d[1]}"
            if shrink:
                small, still = Shrinker(batch, d[0], d[1], os.path.join(folder, "s"), ctl).run()
                text += "\n" + rule_test(small, d[0], still or d)
                shrink = False                                      # one of a batch is enough to read
            texts.append(text)
        stats = [len(s.messages) for s in batch.oracle.subjects.values()]
        return number, texts, stats, len(batch.oracle.rejected), None
    except EngineFailed as why:
        return number, [], [], 0, f"the engine failed: {why}"
    except Exception:
        return number, [], [], 0, traceback.format_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--histories", type=int, default=2000)
    a.add_argument("--seed", default="1")
    a.add_argument("--ctl", default=os.path.join(os.path.dirname(__file__), "../../build/shouwangctl"))
    a.add_argument("--features", default="all", help=f"of {','.join(ALL_FEATURES)}; or all")
    a.add_argument("--only", type=int, help="only this batch of the seed")
    a.add_argument("--jobs", type=int, default=1)
    a.add_argument("--no-shrink", action="store_true")
    a.add_argument("--stop", type=int, default=5, help="after so many differing batches")
    a.add_argument("--keep", help="write each difference as a file to this folder")
    a.add_argument("--selftest", action="store_true", help="spoil what the engine says, and see that it is found")
    o = a.parse_args()
    features = ALL_FEATURES if o.features == "all" else [f for f in o.features.split(",") if f]
    if o.selftest:
        return selftest(o, features)
    batches = [o.only] if o.only is not None else range((o.histories + SUBJECTS - 1) // SUBJECTS)
    tasks = ((o.seed, n, features, min(SUBJECTS, o.histories - n * SUBJECTS) if o.only is None else SUBJECTS, o.ctl,
              not o.no_shrink) for n in batches)
    passed = failed = messages = rejected = differing = 0
    with multiprocessing.Pool(o.jobs) if o.jobs > 1 else Serial() as pool:
        for number, texts, stats, rejects, broken in pool.imap(one, tasks, 4):
            messages += sum(stats)
            rejected += rejects
            failed += len(texts) + (SUBJECTS if broken else 0)
            passed += 0 if broken else SUBJECTS - len(texts)
            for text in [*texts, *([broken] if broken else [])]:
                print(f"--- seed {o.seed} batch {number}: {text}", flush=True)
            if o.keep and texts:
                with open(os.path.join(o.keep, f"{o.seed}-{number}.yaml"), "w", encoding="utf-8") as f:
                    f.write("\n".join(texts))
            differing += bool(texts or broken)
            if differing >= o.stop:
                print(f"stopped after {differing} differing batches")
                break
    if o.only is None and not differing >= o.stop:
        passed = o.histories - failed
    print(f"{messages} messages, {rejected} events rejected; features: {','.join(features)}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def drop(messages, i):
    del messages[i]


def spoil(field, value):
    def run(messages, i):
        messages[i]["data"][field] = value
    return run


SABOTAGE = {"a message is lost": drop, "a message comes twice": lambda m, i: m.insert(i, m[i]), "a level is wrong": spoil("level", "blue"),
            "a due is wrong": spoil("due", "2001-01-01"), "a number is wrong": spoil("message_no", 99),
            "a region is wrong": spoil("region", "99"), "an alert is lost": lambda m, i: m[i]["data"]["alerts"].pop()}


def selftest(o, features):
    """Each way to spoil the engine's answer must be found."""
    failed = 0
    for n, (name, ruin) in enumerate(SABOTAGE.items()):
        hits = []

        def sabotage(got):
            for key, messages in got.items():
                told = [i for i, m in enumerate(messages) if m["data"]["alerts"]]
                if told:
                    hits.append(key[0])
                    return ruin(messages, told[-1])
        number = 100 * n
        while not hits and number < 100 * n + 100:                  # until one has a message to spoil
            batch = make("selftest", number, features, SUBJECTS)
            batch.sabotage = sabotage
            folder = tempfile.mkdtemp(prefix="oracle-")
            found = [d[0] for d in batch.run(folder, o.ctl)]
            shutil.rmtree(folder)
            number += 1
        if not hits or found != hits:
            print(f"{name}: spoilt {hits}, found {found}")
            failed += 1
    print(f"{len(SABOTAGE) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


class Serial:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def imap(self, f, tasks, _):
        return map(f, tasks)


if __name__ == "__main__":
    sys.exit(main())
