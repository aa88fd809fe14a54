#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every 'Invariant: ID-n' in the code names a test file and case that exists and carries the same id, and
every id that a test carries stands in the code."""
import pathlib
import re
import sys

IN_CODE = re.compile(r"Invariant:\s+([A-Z][A-Z0-9]*-\d+)")
TEST = re.compile(r"Test:\s+((?:tests|lib|daemon)/[\w/.-]+\.(?:c|py|sh))(?:/(\w+))?")


def comment_after(text, start):
    """The rest of the comment that begins the invariant, as one line."""
    end = text.find("*/", start)
    return re.sub(r"\s*\n\s*\*?\s*", " ", text[start:end if end >= 0 else start + 600])


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    bad, code_ids, test_ids = [], {}, {}
    for folder in ("lib", "proto", "conf", "daemon"):
        for path in sorted((top / folder).rglob("*.[ch]")):
            text = path.read_text(encoding="utf-8")
            for m in IN_CODE.finditer(text):
                where = f"{path.relative_to(top)}:{text.count(chr(10), 0, m.start()) + 1}"
                code_ids.setdefault(m.group(1), []).append(where)
                t = TEST.search(comment_after(text, m.start()))
                if not t:
                    bad.append(f"{where}: {m.group(1)} names no test (Test: tests/...)")
                    continue
                test = top / t.group(1)
                if not test.is_file():
                    bad.append(f"{where}: {m.group(1)}: no such file {t.group(1)}")
                    continue
                body = test.read_text(encoding="utf-8")
                if t.group(2) and not re.search(rf"\b{t.group(2)}\b", body):
                    bad.append(f"{where}: {m.group(1)}: {t.group(1)} has no case {t.group(2)}")
                if m.group(1) not in body:
                    bad.append(f"{where}: {m.group(1)}: {t.group(1)} does not carry the id")
    for path in sorted((top / "tests").rglob("*.[ch]")):
        for m in IN_CODE.finditer(path.read_text(encoding="utf-8")):
            test_ids.setdefault(m.group(1), str(path.relative_to(top)))
    for i in sorted(set(test_ids) - set(code_ids)):
        bad.append(f"{test_ids[i]}: {i} stands in no code")
    if not code_ids:
        bad.append("no invariant found: wrong folder?")
    for b in bad:
        print(b)
    print(f"invariants: {len(code_ids)} ids, {len(bad)} findings")
    return bool(bad)


sys.exit(main())
