#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""House rules that a script can judge: licence tag first, no file over 600 lines, no tabs lost, no alloca,
no variable-length arrays by name, no struct typedefs, no bare sleep in a test, format as clang-format says."""
import pathlib
import re
import shutil
import subprocess
import sys

MAX_LINES = 600


def tracked(top):
    out = subprocess.run(["git", "-C", str(top), "ls-files"], capture_output=True, text=True)
    if out.returncode:
        return [p.relative_to(top) for p in top.rglob("*") if p.is_file() and "build" not in p.parts]
    return [pathlib.Path(line) for line in out.stdout.splitlines()]


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    bad, sources = [], []
    for rel in tracked(top):
        path = top / rel
        if not path.is_file():
            continue
        code = rel.suffix in (".c", ".h")
        script = rel.suffix in (".py", ".sh") or rel.name in ("run", "check", "meson.build")
        if not (code or script):
            continue
        text = path.read_text(encoding="utf-8")
        head = "\n".join(text.splitlines()[:2])
        if "SPDX-License-Identifier: MIT" not in head:
            bad.append(f"{rel}: no licence tag in the first two lines")
        if not code:
            continue
        sources.append(str(rel))
        lines = text.count("\n")
        if lines > MAX_LINES:
            bad.append(f"{rel}: {lines} lines; is it two things?")
        for pattern, why in ((r"\balloca\s*\(", "alloca"), (r"\btypedef\s+struct\b", "a struct typedef"),
                             (r"[ \t]+$", "trailing white space"), (r"\bgets\s*\(", "gets")):
            m = re.search(pattern, text, re.M)
            if m:
                bad.append(f"{rel}:{text.count(chr(10), 0, m.start()) + 1}: {why}")
        # A test waits for a condition, never for a time.
        if rel.parts[0] == "tests" and rel.parts[1] != "bench":
            for m in re.finditer(r"\b(sleep|usleep)\s*\(", text):
                bad.append(f"{rel}:{text.count(chr(10), 0, m.start()) + 1}: sleeps; wait for a condition")
    if not sources:
        bad.append("no source file found: wrong folder?")
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool and sources:
        out = subprocess.run([tool, "--dry-run", "-Werror", "--style=file"] + sources, cwd=top,
                             capture_output=True, text=True)
        for line in out.stderr.splitlines():
            if "error:" in line:
                bad.append(line.replace(str(top) + "/", ""))
    elif not tool:
        print("house: clang-format is not installed, formatting not judged")
    for b in bad[:60]:
        print(b)
    print(f"house: {len(sources)} sources, {len(bad)} findings")
    return bool(bad)


sys.exit(main())
