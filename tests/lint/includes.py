#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Include direction: data flows one way, no layer looks up.

A file may include headers of its own layer, of the layers listed for it, and of the system. The include
roots of the build enforce the same; this also catches '../' and a header reached through a foreign root.
"""
import pathlib
import re
import sys

# layer of a file, by the longest matching folder -> prefixes of project headers it may include
ALLOWED = {
    "lib/ready": {"ready"},
    "lib/base": {"base"},
    "lib/reactor": {"ready", "base", "reactor"},
    "lib/net": {"ready", "base", "net"},
    "lib/os": {"ready", "base", "net"},
    "proto/wire": {"base", "wire"},
    "proto/control": {"control"},
    "lib/client": {"ready", "base", "wire"},
    "conf": {"base", "conf"},
    "daemon/channel": {"base", "channel"},
    "daemon/link": {"base", "link"},
    "daemon/sandbox": {"base", "sandbox"},
    "daemon/closer": {"base", "link", "sandbox"},
    "daemon/bouncer": {"base", "link", "sandbox"},
    "daemon/agent": {"base", "ready", "wire", "channel", "link", "sandbox"},
    "daemon/supervisor": {"base", "ready", "wire", "conf", "channel", "link", "control"},
    "daemon/ctl": {"base", "ready", "control"},
    "examples": {"ready"},
    "tests/bench": {"ready"},
    "tests/examples": {"ready"},
}
PROJECT = {"ready", "base", "reactor", "net", "wire", "conf", "channel", "link", "sandbox", "control"}
# The daemon stands on the public API: no file of it may see the reactor's inside. An agent parses
# untrusted bytes and links as little as possible.
FORBIDDEN_SYSTEM = {"daemon/agent": ("yaml.h", "jansson.h", "systemd/")}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    best = None
    for layer in ALLOWED:
        if str(path).startswith(layer + "/") and (best is None or len(layer) > len(best)):
            best = layer
    return best


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    bad = []
    n = 0
    for path in sorted(p for folder in ("lib", "proto", "conf", "daemon", "examples", "tests")
                       for p in (top / folder).rglob("*.[ch]")):
        rel = path.relative_to(top)
        layer = layer_of(rel)
        n += 1
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            name = m.group(2)
            root = name.split("/")[0] if "/" in name else None
            where = f"{rel}:{number}: {name}"
            if ".." in name.split("/"):
                bad.append(f"{where}: no '..' in an include")
            elif root in PROJECT and layer and root not in ALLOWED[layer]:
                bad.append(f"{where}: {layer} may include only {', '.join(sorted(ALLOWED[layer]))}")
            elif root and root not in PROJECT and m.group(1) == '"':
                bad.append(f"{where}: no such include root")
            elif layer and name.startswith(FORBIDDEN_SYSTEM.get(layer, ("\0",))):
                bad.append(f"{where}: {layer} may not use this library")
    if n == 0:
        bad.append("no source file found: wrong folder?")
    for b in bad:
        print(b)
    print(f"includes: {n} files, {len(bad)} findings")
    return bool(bad)


sys.exit(main())
