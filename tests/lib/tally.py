#!/usr/bin/env python3
"""Sums the cases of all tests in ctest's JUnit file; the last line is `N passed, N failed, N skipped`.

A test's cases are counted from what it printed: a line `N passed, N failed[, N skipped]` of its own (the last
one counts), else cmocka's summaries; a test that printed neither is one case.  A test that failed without a failed case
(a crash, a leak, a time-out) has one.  `SKIPPED: name: reason` lines are repeated at the end, and so is what failed.
"""

import re
import sys
import xml.etree.ElementTree as tree

OWN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
CMOCKA = {kind: re.compile(r"\[\s*" + kind + r"\s*\] (\d+) test\(s\)") for kind in ("PASSED", "FAILED", "SKIPPED")}
SKIPPED = re.compile(r"^SKIPPED: .*$", re.M)
OUTCOMES = {"run": (1, 0, 0), "fail": (0, 1, 0), "notrun": (0, 0, 1), "disabled": (0, 0, 1)}


def count(status, output):
    own = OWN.findall(output)
    cases = [int(n or 0) for n in own[-1]] if own else [sum(map(int, CMOCKA[k].findall(output))) for k in CMOCKA]
    if not any(cases):
        cases = list(OUTCOMES[status])
    if status == "fail" and cases[1] == 0:
        cases[1] = 1
    return cases


def status_of(case):
    if case.find("failure") is not None or case.get("status") == "fail":
        return "fail"
    if case.find("skipped") is not None:
        return "notrun"
    return case.get("status") if case.get("status") in OUTCOMES else "fail"


def main(path):
    try:
        cases = list(tree.parse(path).getroot().iter("testcase"))
    except (OSError, tree.ParseError) as error:
        print(f"no results of the tests: {error}\n0 passed, 1 failed, 0 skipped")
        return 1
    total, skips, failures = [0, 0, 0], [], []
    for case in cases:
        output = case.findtext("system-out") or ""
        status = status_of(case)
        counts = count(status, output)
        total = [a + b for a, b in zip(total, counts)]
        if counts[1]:
            failures.append(case.get("name"))
        if status == "notrun":
            skips.append(f"SKIPPED: {case.get('name')}")
        skips += SKIPPED.findall(output)
        print(f"{case.get('name'):<32} {counts[0]:>6} passed {counts[1]:>4} failed {counts[2]:>4} skipped "
              f"{float(case.get('time') or 0):>8.1f} s")
    for line in skips:
        print(line)
    for name in failures:
        print("FAILED:", name)
    if not cases:
        total[1] = 1
        print("no test was run")
    print("{} passed, {} failed, {} skipped".format(*total), flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
