#!/usr/bin/env python3
"""Faults on a real Kafka and a real Redis: after each number, nothing may be lost and nothing be there twice.

    run.py BUILD [--rounds N] [--seed S] [--only NAME[,NAME]] [--report FILE.json] [--list]

Each number is a module beside this file: NUMBER, NAME, KINDS (of faults inside it) and run(world), whose docstring says
what it does.  --rounds: how often each happens at least (20); --only: names of numbers or kinds; --seed: another
workload and other moments.  The last line counts the numbers."""

import argparse
import importlib.util
import json
import os
import random
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "kafka")]
import stage as staging  # noqa: E402  (finds tests/lib for the rest)
from cases import Skip  # noqa: E402
from servers import Unavailable, fetch_kafka  # noqa: E402
from world import World  # noqa: E402


def numbers():
    """The modules that are numbers, in their order."""
    found = []
    for file in sorted(os.listdir(HERE)):
        with open(os.path.join(HERE, file) if file.endswith(".py") else os.devnull, encoding="utf-8") as text:
            if not any(line.startswith("NUMBER = ") for line in text):
                continue
        spec = importlib.util.spec_from_file_location(file[:-3], os.path.join(HERE, file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return sorted(found, key=lambda module: module.NUMBER)


def choose(modules, only):
    """[(module, its kinds that were asked for; None: all)]; an unknown name ends the program."""
    if not only:
        return [(module, None) for module in modules]
    names = set(only.split(","))
    known = {name for module in modules for name in (module.NAME, *module.KINDS)}
    if names - known:
        sys.exit(f"no such fault: {', '.join(sorted(names - known))}; --list names them")
    return [(module, None if module.NAME in names else names) for module in modules
            if names & {module.NAME, *module.KINDS}]


def one(module, kinds, options, table):
    """ok, FAILED or SKIPPED, and why."""
    dice = random.Random(f"{options.seed} {module.NAME}")
    with staging.temporary_folder() as folder:
        world = World(staging.Programs(options.build), folder, options.rounds, options.seed, dice, kinds)
        try:
            fetch_kafka()
            module.run(world)
            world.end()
            return "ok", ""
        except (Unavailable, Skip) as why:
            return "SKIPPED", f": {why}"
        except Exception:  # a failed number must not end the others
            return "FAILED", "\n" + traceback.format_exc()
        finally:
            world.close()
            table.append({"number": module.NUMBER, "name": module.NAME, "seed": options.seed, **world.report()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--report")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    modules = numbers()
    if options.list:
        for module in modules:
            print(f"{module.NUMBER:2} {module.NAME}: {' '.join(module.KINDS)}\n   {module.run.__doc__}")
        return 0
    counts, table = {"ok": 0, "FAILED": 0, "SKIPPED": 0}, []
    for module, kinds in choose(modules, options.only):
        began = time.monotonic()
        print(f"{module.NUMBER} {module.NAME}: {module.run.__doc__} (seed {options.seed})", flush=True)
        outcome, why = one(module, kinds, options, table)
        table[-1]["outcome"] = outcome
        counts[outcome] += 1
        print(f"{outcome}: {module.NAME}{why} ({time.monotonic() - began:.1f} s)", flush=True)
    if options.report:
        with open(options.report, "w", encoding="utf-8") as out:
            json.dump(table, out, ensure_ascii=False, indent=1)
    print("{ok} passed, {FAILED} failed, {SKIPPED} skipped".format(**counts))
    return 1 if counts["FAILED"] or not table else 0


if __name__ == "__main__":
    sys.exit(main())
