"""Runs test functions one by one and prints the line that tally.py sums.

    import cases
    def it_does_this(): …          a failure is any exception; cases.Skip("reason") skips
    if __name__ == "__main__":
        cases.main(globals())      or cases.main(globals(), every="reason to skip them all")

A case is a public function of the module itself whose name begins with `it_`, `a_`, `an_`, `the_` or `no_`.
Arguments choose cases by a part of their name.
"""

import sys
import time
import traceback

PREFIXES = ("it_", "a_", "an_", "the_", "no_")


class Skip(Exception):
    """The case can't run here; the text says why."""


def expect(condition, text):
    """An assertion that says what was found."""
    if not condition:
        raise AssertionError(text)


def equal(got, wanted, what="value"):
    expect(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def has(text, part):
    expect(part in text, f"no {part!r} in:\n{text[-3000:]}")


def main(module, every=None):
    chosen = [(name, f) for name, f in module.items()
              if callable(f) and name.startswith(PREFIXES) and f.__module__ == module["__name__"]
              and (len(sys.argv) < 2 or any(part in name for part in sys.argv[1:]))]
    counts = {"ok": 0, "FAILED": 0, "SKIPPED": 0}
    for name, case in chosen:
        shown = name.replace("_", " ")
        began, outcome, detail = time.monotonic(), "ok", ""
        try:
            if every:
                raise Skip(every)
            case()
        except Skip as why:
            outcome, detail = "SKIPPED", f": {why}"
        except Exception:  # a failed case must not end the others
            outcome, detail = "FAILED", "\n" + traceback.format_exc()
        counts[outcome] += 1
        print(f"{outcome}: {shown}{detail}" + (f" ({time.monotonic() - began:.1f} s)" if outcome == "ok" else ""),
              flush=True)
    print("{ok} passed, {FAILED} failed, {SKIPPED} skipped".format(**counts))
    sys.exit(1 if counts["FAILED"] or not chosen else 0)
