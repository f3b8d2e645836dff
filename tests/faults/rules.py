"""Rules that change while daemons work by them: the sets, one after the other, and what the engine alone makes of the
same events by the same sets."""

import json
import os
import re
import shutil

import stage as staging
from workload import Expected

LIMITS, WINDOWS, UNITS = (40000, 9000, 3000, 1500), ("12 months", "6 months"), ("station", "office")
REMOVABLE = ("care-cost", "admitted", "low-wage")
LIMIT, WINDOW = re.compile(r"value: 40000\b"), re.compile(r"(?<=medical_self_paid: {sum: double, unit: yuan, window: )12 months")


class Rules:
    """What a stage's configuration folder holds, and held before: parts, each a folder and the events given by then."""

    def __init__(self, stage, dice):
        self.stage, self.dice, self.parts = stage, dice, []
        self.limit, self.window, self.unit, self.removed, self.title = LIMITS[0], WINDOWS[0], UNITS[0], None, 0
        self.original = {}
        for file in ("thresholds/household.yaml", "watches/household.yaml", "rules/faults.yaml"):
            with open(os.path.join(stage.config, file), encoding="utf-8") as text:
                self.original[file] = text.read()
        self.begin_part()

    # --- changes

    def threshold(self):
        self.limit = self.dice.choice([limit for limit in LIMITS if limit != self.limit])

    def measure(self):
        self.window = WINDOWS[self.window == WINDOWS[0]]

    def removed_rule(self):
        """Or one comes back, now and then."""
        self.removed = None if self.removed and self.dice.random() < 0.5 else self.dice.choice(
            [name for name in REMOVABLE if name != self.removed])

    def moved_rule(self):
        self.unit = UNITS[self.unit == UNITS[0]]

    def same(self):
        """By which nothing is judged otherwise."""
        self.title += 1

    def write(self):
        rules = [text for text in self.original["rules/faults.yaml"].split("\n---\n")
                 if f"rule: {self.removed}\n" not in text]
        changed = {
            "thresholds/household.yaml": LIMIT.sub(f"value: {self.limit}", self.original["thresholds/household.yaml"]),
            "watches/household.yaml": WINDOW.sub(self.window, self.original["watches/household.yaml"]),
            "rules/faults.yaml": re.sub(r"(?<=^title: 医疗费)$", str(self.title or ""), re.sub(
                r"(?<=^unit: )station$", self.unit, "\n---\n".join(rules), flags=re.M), flags=re.M)}
        for file, text in changed.items():
            with open(os.path.join(self.stage.config, file), "w", encoding="utf-8") as out:
                out.write(text)

    def break_(self):
        """Leaves files that must be refused."""
        path = os.path.join(self.stage.config, self.dice.choice(list(self.original)))
        with open(path, "a", encoding="utf-8") as out:
            out.write("---\n" + self.dice.choice(["rule: x\nwatch: household\nunit: station\nlevels: {red: no_such_fact > 3}\n",
                                                  "threshold: [\n", "unit: new\ntopic: alerts.not-there\n"]))

    # --- what was given by which rules

    def begin_part(self):
        folder = os.path.join(self.stage.folder, f"rules-{len(self.parts)}")
        shutil.copytree(self.stage.config, folder)
        self.parts.append((folder, folder + ".jsonl"))
        self.given([])

    def given(self, lines):
        with open(self.parts[-1][1], "ab") as out:
            out.writelines(lines)

    def alone(self, *words):
        """The words of a run over all parts."""
        then = [word for part in self.parts[1:] for word in ("--then", *part)]
        return self.stage.ctl("run", *self.parts[0], *then, "--partitions", str(self.stage.partitions), "--quiet", *words)

    def expected(self):
        """What must be there, where each change came when nothing was under way and was given its time."""
        folder = os.path.join(self.stage.folder, "expected")
        os.makedirs(folder, exist_ok=True)
        files = {name: os.path.join(folder, name) for name in ("messages", "states", "rejects")}
        with open(files["messages"], "w", encoding="utf-8") as out:
            out.write(self.alone("--raw", f"--state={files['states']}", "--rejects", files["rejects"]))
        return Expected.read(folder)

    def at_rest(self, states, at):
        """Raw states as JSON, by key: as they are, and after each was judged once more, for which nothing must be said.
        Contributions that no window reaches at that time are left out."""
        out = []
        for name, list_ in (("as-they-are", states), ("judged-again", [unjudged(line) for line in states])):
            path, shown = (os.path.join(self.stage.folder, name + end) for end in (".raw", ".json"))
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in list_)
            said = self.stage.ctl("run", self.stage.config, "--from", path, "--at", at, "--partitions",
                                  str(self.stage.partitions), "--quiet", "--check", f"--state={shown}")
            out.append(by_key(shown))
            staging.expect(not said, f"judged once more, the states say something else:\n{said[:3000]}")
        return out


def unjudged(line):
    """A state by rules that nobody has: behind version and due time there is their fingerprint."""
    key, hex_ = line.rsplit(" ", 1)
    return f"{key} {hex_[:18]}{'0' * 16}{hex_[34:]}"


def by_key(path):
    with open(path, encoding="utf-8") as text:
        return {(state["watch"], state["subject"]): state for state in map(json.loads, text)}
