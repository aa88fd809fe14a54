#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python client's codec says what the vectors say: vectors.py TOP. TAP. proto/vectors/README.md has the form."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "clients", "python"))
import readyd  # noqa: E402


def read(path):
    with open(path, encoding="ascii") as f:
        text = "".join(line for line in f if not line.startswith("#"))
    for part in text.split("\n\n"):
        lines = [line.split(":", 1) for line in part.splitlines() if line]
        if lines:
            yield [(key, value[1:] if value.startswith(" ") else value) for key, value in lines]


def bytes_of(vector):
    data = b""
    for key, value in vector:
        for word in value.split() if key == "bytes" else ():
            digits, _, n = word.partition("*")
            data += bytes([int(digits, 16)]) * int(n or 1)
    return data


def fields_of(text):
    if " name=" in text:
        text, name = text.split(" name=", 1)
        return {**fields_of(text), "name": name}
    return {k: int(v, 0) for k, v in (word.split("=") for word in text.split())}


def check(vector):
    said = dict(v for v in vector if v[0] not in ("bytes", "record"))
    data = bytes_of(vector)
    from_client = said["from"] == "client"
    try:
        frame = readyd.decode(data, int(said["fds"]), from_client)
    except readyd.ProtocolError as e:
        want = (said["result"], int(said.get("detail", 0)), int(said.get("serial", 0), 0))
        return None if (e.name, e.detail, e.serial) == want else f"{e.name} {e.detail} {e.serial} instead of {want}"
    if said["result"] != "OK":
        return f"taken instead of {said['result']}"
    head = (said["type"], int(said["length"]), int(said["n_fds"]), int(said["serial"], 0), int(said["count"]))
    if head != frame[:5]:
        return f"{frame[:5]} instead of {head}"
    records = []
    for key, value in vector:
        many = re.match(r"record\*(\d+)$", key)
        if key == "record" or many:
            records += [fields_of(value)] * (int(many.group(1)) if many else 1)
    if records != frame.records:
        return f"{frame.records[:2]} instead of {records[:2]}"
    if said.get("exact") == "no":
        return None
    again = [{**r, "magic": readyd.MAGIC, **({"name": r["name"].encode("ascii")} if "name" in r else {})} for r in records]
    return None if readyd.encode(frame.name, frame.serial, again) == data else "other bytes when encoded again"


def main():
    n = failed = 0
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "proto", "vectors", "*.txt"))):
        for vector in read(path):
            n += 1
            why = check(vector)
            failed += bool(why)
            print("not ok" if why else "ok", n, vector[0][1] + (f": {why}" if why else ""))
    print(f"1..{n}")
    return bool(failed or n < 100)


if __name__ == "__main__":
    sys.exit(main())
