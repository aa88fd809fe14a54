#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The wire targets' seeds, made from the vectors: seeds.py writes them, seeds.py --check compares.
A seed is one byte, how many descriptors came, and the message; its name is the vector's."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent.parent / "proto" / "vectors"
TARGETS = {"client": "wire_request", "agent": "wire_reply"}


def message(hexes):
    out = b""
    for token in hexes.split():
        digits, _, times = token.partition("*")
        out += bytes([int(digits, 16)]) * int(times or "1")
    return out


def seeds():
    """{(target, name): bytes} of all vectors."""
    out = {}
    for path in sorted(VECTORS.glob("*.txt")):
        for block in re.split(r"\n\n+", path.read_text(encoding="ascii")):
            lines = [line.partition(":") for line in block.splitlines() if not line.startswith("#")]
            if not lines:
                continue
            keys = {key: value.strip() for key, _, value in lines}
            body = message(" ".join(value for key, _, value in lines if key == "bytes"))
            out[TARGETS[keys["from"]], keys["vector"]] = bytes([int(keys["fds"])]) + body
    return out


def main():
    want = seeds()
    have = {(t, p.name): p.read_bytes() for t in TARGETS.values() for p in (HERE / "seeds" / t).glob("*")}
    if "--check" in sys.argv[1:]:
        # What a fuzzer found may be beside them.
        bad = sorted(f"{t}/{n}" for t, n in want if have.get((t, n)) != want[t, n])
        print("\n".join(f"seeds/{b} is not its vector: run tests/fuzz/seeds.py" for b in bad))
        print(f"seeds: {len(want)} vectors, {len(bad)} findings")
        return bool(bad) or len(want) < 100
    for (target, name), data in want.items():
        path = HERE / "seeds" / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"seeds: {len(want)} written")
    return 0


sys.exit(main())
