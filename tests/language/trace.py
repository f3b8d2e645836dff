#!/usr/bin/env python3
"""Every reference in README.md finds its test: `folder: "part of a name"` a rule test's name, `bad/name` a folder."""
import pathlib, re, sys

here = pathlib.Path(__file__).parent
names = {}
for file in here.glob("*/tests/*.yaml"):
    names.setdefault(file.parts[-3], []).extend(re.findall(r"^test: (.*)$", file.read_text(), re.M))
missing, shown = [], 0
for line in (here / "README.md").read_text().splitlines():
    if not line.startswith("| ") or line.count("|") < 3:
        continue
    cell = line.replace("\\|", "\0").split("|")[2].replace("\0", "|")
    for part in re.split(r";\s+", cell):
        for bad in re.findall(r"`bad/([^`]+)`", part):
            if not (here.parent / "bad" / bad / "expected").exists():
                missing.append(f"tests/bad/{bad}")
        folder = re.match(r"\s*([a-z-]+): \"", part)
        for name in re.findall(r'"([^"]+)"', part) if folder else []:
            shown += 1
            if not any(name in n for n in names.get(folder[1], [])):
                missing.append(f'{folder[1]}: "{name}"')
total = sum(map(len, names.values()))
print(f"{shown} references, {total} rule tests", *(f"not found: {m}" for m in missing), sep="\n")
sys.exit(bool(missing) or shown < 100 or total < 120)
