#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of tests/conformance/README.md: every section has as many rows as its heading says, every row names a case
that is there and runs, or has none and a reason; every case is named; each is run on every selector with every
waker, unless its row says `needs no poll`; every file is built; the sums are right."""
import pathlib
import re
import sys

SECTION = re.compile(r"^## (.+): (\d+)$")
OURS = re.compile(r"^`(\w+)\.c/(\w+)`$")
SUM = re.compile(r"^Of mio's (\d+) tests (\d+) have one here and (\d+) do not apply")
VARIANTS = {'{"epoll", 0}', '{"epoll", RDY_POLL_PIPE_WAKER}', '{"poll", 0}', '{"poll", RDY_POLL_PIPE_WAKER}'}


def cases(text):
    """Name -> body of each case, and the names that the program runs."""
    body = dict(re.findall(r"START_TEST\((\w+)\)(.*?)\nEND_TEST", text, re.S))
    runs = re.search(r"UNIT_MAIN\((.*?)\)", text, re.S)
    return body, re.findall(r"\b\w+\b", runs.group(1).split('",', 1)[1]) if runs else []


def tables(text):
    """(line, section, rows wanted, cells) of each row; cells None at a section's end."""
    section, wanted = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        m = SECTION.match(line)
        if m:
            section, wanted = m.group(1), int(m.group(2))
            yield number, section, wanted, None
        elif section and line.startswith("|") and not re.match(r"^\|( mio| what|-)", line):
            yield number, section, wanted, [c.strip() for c in line.strip("|").split("|")]


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    here = top / "tests/conformance"
    readme = (here / "README.md").read_text(encoding="utf-8")
    built = (here / "meson.build").read_text(encoding="utf-8")
    bad, files, named, counts, wants, mio_names = [], {}, set(), {}, {}, set()
    for path in sorted(here.glob("*.c")):
        text = path.read_text(encoding="utf-8")
        files[path.stem] = cases(text)
        if f"'{path.stem}'" not in built and f"'{path.name}'" not in built:
            bad.append(f"{path.name}: not built")
        for case in files[path.stem][0]:
            if case not in files[path.stem][1]:
                bad.append(f"{path.name}: does not run {case}")
    if not files:
        bad.append("no cases at all: wrong folder?")
    for number, section, wanted, cells in tables(readme):
        where = f"README.md:{number}"
        if cells is None:
            if section in wants:
                bad.append(f"{where}: {section} twice")
            wants[section], counts[section] = wanted, [0, 0]
            continue
        if len(cells) != 3:
            bad.append(f"{where}: {len(cells)} cells")
            continue
        what, ours, note = cells
        if (section, what) in mio_names:
            bad.append(f"{where}: {what} twice")
        mio_names.add((section, what))
        counts[section][0] += 1
        if ours == "–":
            counts[section][1] += 1
            if not note:
                bad.append(f"{where}: {what} has no test, and no reason")
            continue
        m = OURS.match(ours)
        if not m or m.group(1) not in files or m.group(2) not in files[m.group(1)][0]:
            bad.append(f"{where}: no such case: {ours}")
            continue
        if m.groups() in named:
            bad.append(f"{where}: {ours} twice")
        named.add(m.groups())
        body = files[m.group(1)][0][m.group(2)]
        if "for_each_variant(b)" not in body and not note.startswith("needs no poll"):
            bad.append(f"{where}: {ours} is not run on every selector")
    for stem, (body, _) in files.items():
        for case in body:
            if (stem, case) not in named:
                bad.append(f"{stem}.c: {case} is in no table")
    for section, wanted in wants.items():
        if counts[section][0] != wanted:
            bad.append(f"{section}: {counts[section][0]} rows, not {wanted}")
    of_mio = [v for k, v in counts.items() if k != "Not tested by mio"]
    total, none = (sum(v[i] for v in of_mio) for i in (0, 1))
    said = next((m for m in map(SUM.match, readme.splitlines()) if m), None)
    if not said or [int(x) for x in said.groups()] != [total, total - none, none]:
        bad.append(f"the sums are {total}, {total - none}, {none}")
    # Which selectors and wakers those are.
    common = (top / "tests/unit/reactor/reactor.h").read_text(encoding="utf-8")
    for variant in sorted(v for v in VARIANTS if v not in common):
        bad.append(f"reactor.h: no variant {variant}")
    for b in bad:
        print(b)
    print(f"conformance: {len(named)} cases for {total} of mio's and {sum(v[0] for v in counts.values()) - total} more, "
          f"{none} do not apply, {len(bad)} findings")
    return bool(bad)


sys.exit(main())
