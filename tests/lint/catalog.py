#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Events of the journal: catalog.py TOP. The table, the catalog and readyd(8) have the same ones; each id is there once;
each field that a text of the catalog shows is a key of some line that is logged."""
import pathlib
import re
import sys

top = pathlib.Path(sys.argv[1])
bad = []
table = (top / "daemon/supervisor/journal_events.c").read_text(encoding="utf-8")
rows = re.findall(r'\{"([^"]+)", (?:NULL|"[^"]*"), "(\w+)", "([0-9a-f]{32})"\}', table)
if len(rows) != len(re.findall(r"^\t\{", table, re.M)):
    bad.append("a row of the table cannot be read")
ids = [row[2] for row in rows]
names = [row[1] for row in rows]
for what, all_of_it in (("id", ids), ("name", names)):
    for twice in sorted({x for x in all_of_it if all_of_it.count(x) > 1}):
        bad.append(f"{what} {twice} is there twice")

catalog = (top / "packaging/systemd/readyd.catalog").read_text(encoding="utf-8")
entries = dict(zip(re.findall(r"^-- ([0-9a-f]{32})$", catalog, re.M), re.split(r"^-- .*$", catalog, flags=re.M)[1:]))
for missing in sorted(set(ids) - set(entries)):
    bad.append(f"{names[ids.index(missing)]}: the catalog has no {missing}")
for strange in sorted(set(entries) - set(ids)):
    bad.append(f"{strange} is in the catalog only")
# Words before '=' in what is logged, as journal_entry() makes fields of them.
keys = {"SOCKET"}
for path in (top / "daemon/supervisor").glob("*.c"):
    for text in re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")):
        keys |= {key.upper().replace("-", "_") for key in re.findall(r"(?:^| )([a-z][a-z-]*)=", text)}
# What an event is known by is still said somewhere: "agent=wedged ...", "closer=%s ..." with the word elsewhere.
logged = [text for path in (top / "daemon/supervisor").glob("*.c") if path.name != "journal_events.c"
          for text in re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8"))]
for first, name, _ in rows:
    key, equals, value = first.partition("=")
    if not any(text == key or text.startswith((key + " ", first)) or (text.startswith(key + "=%s") and (not value or value in logged))
               for text in logged):
        bad.append(f"{name}: nothing logs {first}")
for entry, text in entries.items():
    for header in ("Subject: ", "Defined-By: readyd\n", "Documentation: man:"):
        if header not in text:
            bad.append(f"{entry}: no {header.strip()}")
    for field in re.findall(r"@READYD_([A-Z_]+)@", text):
        if field not in keys:
            bad.append(f"{entry}: nothing logs {field.lower()}=")

page = (top / "man/readyd.8").read_text(encoding="utf-8").split(".Sh DIAGNOSTICS")[1].split("\n.Sh ")[0]
told = re.findall(r"^\.It Li (\w+)$", page, re.M)
for missing in sorted(set(names) - set(told)):
    bad.append(f"{missing} is not in readyd(8)")
for strange in sorted(set(told) - set(names)):
    bad.append(f"{strange} is in readyd(8) only")
for b in bad:
    print(b)
print(f"catalog: {len(rows)} events, {len(bad)} findings")
sys.exit(bool(bad) or not rows)
