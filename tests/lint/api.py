#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The public interface, held together: every exported symbol has a prototype with its tags (Thread, Since,
and Errors where it returns int), is named in a manual page and is called by a test; and nothing else is
exported or declared."""
import pathlib
import re
import subprocess
import sys

PROTOTYPE = re.compile(r"RDY_API\s+[^;]*?\b(rdy_\w+)\s*\(", re.S)


def main():
    top = pathlib.Path(sys.argv[1])
    library = sys.argv[2] if len(sys.argv) > 2 else None
    bad = []
    symbols = set(re.findall(r"^\s*(rdy_\w+);", (top / "lib/libready.sym").read_text(), re.M))
    declared = {}
    for header in sorted((top / "lib/ready").glob("*.h")):
        text = header.read_text(encoding="utf-8")
        for m in PROTOTYPE.finditer(text):
            start = text.rfind("/*", 0, m.start())
            comment = text[start:m.start()]
            # Two prototypes may stand under one comment.
            declared[m.group(1)] = (header.name, comment, text[m.start():m.end()])
    for s in sorted(symbols - set(declared)):
        bad.append(f"libready.sym: {s} has no prototype")
    for s in sorted(set(declared) - symbols):
        bad.append(f"{declared[s][0]}: {s} is not in libready.sym")
    pages = "\n".join(p.read_text(encoding="utf-8") for p in (top / "man").glob("*.3"))
    tests = "\n".join(p.read_text(encoding="utf-8") for p in (top / "tests").rglob("*.c"))
    for s, (header, comment, head) in sorted(declared.items()):
        for tag in ("Thread:", "Since:"):
            if tag not in comment:
                bad.append(f"{header}: {s}: no '{tag}' in its comment")
        if re.search(r"\bint\s+rdy_", head) and not re.search(r"Errors?:", comment):
            bad.append(f"{header}: {s}: returns int and lists no errors")
        if not re.search(rf"\b{s}\b", pages):
            bad.append(f"{header}: {s}: in no manual page of section 3")
        if not re.search(rf"\b{s}\s*\(", tests):
            bad.append(f"{header}: {s}: called by no test")
    if library:
        out = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                             capture_output=True, text=True).stdout
        exported = {line.split()[2].split("@")[0] for line in out.splitlines() if len(line.split()) == 3}
        exported.discard("LIBREADY_0")
        for s in sorted(exported ^ symbols):
            bad.append(f"{library}: {s}: exported or listed, not both")
    for b in bad:
        print(b)
    print(f"api: {len(declared)} functions, {len(bad)} findings")
    return bool(bad)


sys.exit(main())
