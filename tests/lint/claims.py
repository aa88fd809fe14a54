#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of tests/README.md: every row names tests as `FILE/CASE` or `FILE` (relative to tests/), and each of
them is there: the file, the case in it, and the case in the list that its program runs."""
import pathlib
import re
import sys

NAME = re.compile(r"`([\w./-]+\.(?:c|py|sh))(?:/(\w+))?`")
LETTERS = [f"({c})" for c in "abcdefghijkl"]
SEPARATOR = re.compile(r"^\|[\s:|-]+\|$")


def rows(text):
    """(line number, cells) of each table row that is neither heading nor separator."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if not line.startswith("|") or SEPARATOR.match(line):
            continue
        if i + 1 < len(lines) and SEPARATOR.match(lines[i + 1]):
            continue
        yield i + 1, [cell.strip() for cell in line.strip("|").split("|")]


def missing(tests, name, case):
    """What is wrong with a name, or None."""
    path = tests / name
    if not path.is_file():
        return f"no such file: tests/{name}"
    if not case:
        return None
    body = path.read_text(encoding="utf-8")
    if path.suffix != ".c":
        return None if re.search(rf"\b{case}\b", body) else f"tests/{name} has no {case}"
    if not re.search(rf"START_TEST\({case}\)", body):
        return f"tests/{name} has no case {case}"
    runs = re.search(r"UNIT_MAIN(?:_WITH)?\((.*?)\)", body, re.S)
    if runs and not re.search(rf"\b{case}\b", runs.group(1)):
        return f"tests/{name} does not run its case {case}"
    return None


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    tests, bad, n = top / "tests", [], 0
    seen = set()
    for number, cells in rows((tests / "README.md").read_text(encoding="utf-8")):
        where = f"tests/README.md:{number}"
        names = [m.groups() for cell in cells for m in NAME.finditer(cell)]
        seen.add(cells[0])
        if not names:
            bad.append(f"{where}: names no test: {cells[0][:60]}")
        for name, case in names:
            n += 1
            why = missing(tests, name, case)
            if why:
                bad.append(f"{where}: {why}")
    for letter in LETTERS:
        if letter not in seen:
            bad.append(f"tests/README.md: no row for {letter}")
    if n == 0:
        bad.append("tests/README.md: no test named at all")
    for b in bad:
        print(b)
    print(f"claims: {n} tests named, {len(bad)} findings")
    return bool(bad)


sys.exit(main())
