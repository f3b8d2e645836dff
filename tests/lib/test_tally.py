#!/usr/bin/env python3
"""How tally.py counts: what each kind of test prints, and that nothing that failed is counted as passed."""

import contextlib
import io
import os
import tempfile

import cases
import tally
from cases import equal, has

CMOCKA = """[==========] Running 5 test(s).
[ RUN      ] a
[       OK ] a
[  FAILED  ] b
[==========] 5 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] c
[  FAILED  ] 2 test(s), listed below:
[  FAILED  ] b

 2 FAILED TEST(S)
"""


def run_on(*tests):
    """Exit status and output for tests of (status, output)."""
    inner = "".join(
        f'<testcase name="t{i}" time="0.5" status="{status}">{"<failure/>" if status == "fail" else ""}'
        f"<system-out>{output}</system-out></testcase>" for i, (status, output) in enumerate(tests))
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file, io.StringIO() as out:
        file.write(f"<testsuite>{inner}</testsuite>")
        file.flush()
        with contextlib.redirect_stdout(out):
            status = tally.main(file.name)
        return status, out.getvalue()


def last_line(text):
    return text.splitlines()[-1]


def it_reads_cmocka():
    status, text = run_on(("fail", CMOCKA))
    equal((status, last_line(text)), (1, "2 passed, 2 failed, 1 skipped"))
    has(text, "FAILED: t0")


def it_sums_several_groups_of_one_program():
    one = "[  PASSED  ] 3 test(s).\n"
    equal(last_line(run_on(("run", one + one))[1]), "6 passed, 0 failed, 0 skipped")


def a_line_of_its_own_counts_instead():
    status, text = run_on(("run", "1 passed, 1 failed, 0 skipped\nSKIPPED: x: no Java\n40 passed, 0 failed, 1 skipped\n"))
    equal((status, last_line(text)), (0, "40 passed, 0 failed, 1 skipped"))
    has(text, "SKIPPED: x: no Java")


def a_line_without_skipped_ones_counts_too():
    equal(last_line(run_on(("run", "47 passed, 0 failed\n"))[1]), "47 passed, 0 failed, 0 skipped")


def a_test_that_prints_nothing_is_one_case():
    equal(last_line(run_on(("run", ""), ("run", "done"), ("notrun", ""))[1]), "2 passed, 0 failed, 1 skipped")


def a_crash_after_passed_cases_is_a_failure():
    status, text = run_on(("fail", "[  PASSED  ] 3 test(s).\nERROR: LeakSanitizer"), ("run", ""))
    equal((status, last_line(text)), (1, "4 passed, 1 failed, 0 skipped"))


def a_failed_line_in_a_test_that_ended_well_is_a_failure():
    status, text = run_on(("run", "4 passed, 2 failed, 0 skipped"))
    equal((status, last_line(text)), (1, "4 passed, 2 failed, 0 skipped"))


def no_tests_are_a_failure():
    equal(run_on()[0], 1, "exit status")


def a_missing_file_is_a_failure():
    with contextlib.redirect_stdout(io.StringIO()):
        equal(tally.main(os.path.join(tempfile.gettempdir(), "no-such-file.xml")), 1, "exit status")


if __name__ == "__main__":
    cases.main(globals())
