#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""readyd-protocol(7), wire.h and the vectors say the same: every type, error, kind, bit and limit of the header
stands in the page and the vectors; the page's tables decode every good vector to the fields that it states; the
page's example is made of vectors."""
import pathlib
import re
import sys

bad = []


def need(holds, text):
    if not holds:
        bad.append(text)
    return holds


def header(top):
    """{name: number} of all enumerators and numeric macros of wire.h, without WIRE_."""
    text = (top / "proto/wire/include/wire/wire.h").read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = re.findall(r"\bWIRE_(\w+)\s*=\s*(0x[0-9a-f]+|\d+)", text)
    found += re.findall(r"#define WIRE_(\w+)(?:\s|\\\n)+(0x[0-9a-f]+|\d+)u", text)
    out = {name: int(value, 0) for name, value in found}
    out["DEREGISTER_MAX"] = (out["FRAME_MAX"] - out["HEADER_BYTES"]) // out["RESULT_BYTES"]
    out["EVENTS_MAX"] = (out["EVENTS_MAX_BYTES"] - out["HEADER_BYTES"]) // out["EVENT_BYTES"]
    return out


def message(hexes):
    out = b""
    for token in hexes.split():
        digits, _, times = token.partition("*")
        out += bytes([int(digits, 16)]) * int(times or "1")
    return out


def vectors(top):
    """[(keys, message, [record, ...])]"""
    out = []
    for path in sorted((top / "proto/vectors").glob("*.txt")):
        for block in re.split(r"\n\n+", path.read_text(encoding="ascii")):
            lines = [line.partition(":") for line in block.splitlines() if not line.startswith("#")]
            lines = [(key, value[1:]) for key, _, value in lines]
            if not lines:
                continue
            records = []
            for key, value in lines:
                if key.startswith("record"):
                    records += [value] * int(key.partition("*")[2] or "1")
            out.append((dict(lines), message(" ".join(v for k, v in lines if k == "bytes")), records))
    return out


def tables(page):
    """{title of a section: [(offset, bytes, field)]} of the page's tables; field "" is reserved."""
    out = {}
    for title, body in re.findall(r"^\.S[hs] (.*)\n((?:(?!\.S[hs] ).*\n)*)", page, re.M):
        rows = re.findall(r"^\.It (\d+) Ta (\d+) Ta (?:Em (\w+)|reserved)", body, re.M)
        if rows:
            for name in re.split(r" , ", title):
                out[name] = [(int(o), int(n), field) for o, n, field in rows]
    return out


def decode(rows, record):
    return {f: record[o:o + n] for o, n, f in rows if f}


def check_tables(page, wire, types):
    all_tables = tables(page)
    sizes = {"FRAMES": wire["HEADER_BYTES"]}
    for name in types:
        sizes[name] = wire.get(f"{name}_BYTES", wire["RESULT_BYTES"])
    sizes["EVENTS"], sizes["PONG"] = wire["EVENT_BYTES"], wire["PING_BYTES"]
    for name, number in types.items():
        row = re.search(rf"^\.It 0x{number:02x} Ta {name} Ta {sizes[name]} Ta", page, re.M)
        need(row, f"page: no row of type 0x{number:02x} {name}, {sizes[name]} bytes")
    # Those two are told in a sentence.
    for name, field in (("DEREGISTER", "id"), ("PING", "value"), ("PONG", "value")):
        all_tables.setdefault(name, [(0, 8, field)])
    for name, size in sizes.items():
        if not need(name in all_tables, f"page: no table of {name}"):
            continue
        at = 0
        for offset, n, field in all_tables[name]:
            need(offset == at, f"page: {name}: {field or 'reserved'} is at {at}, not {offset}")
            at = offset + n
        need(at == size, f"page: {name} has {at} bytes, not {size}")
    return all_tables, sizes


def check_vector(keys, data, records, page_tables, sizes):
    """Decode by the page's tables and compare with what the vector states."""
    head = {f: int.from_bytes(v, "little") for f, v in decode(page_tables["FRAMES"], data).items()}
    name, kind = keys["vector"], keys["type"]
    for field in ("length", "n_fds", "serial", "count"):
        need(head[field] == int(keys[field], 0), f"{name}: {field} by the page: {head[field]}")
    need(head["count"] == len(records), f"{name}: {len(records)} records, count {head['count']}")
    for i, text in enumerate(records):
        start = 16 + i * sizes[kind]
        got = decode(page_tables[kind], data[start:start + sizes[kind]])
        got.pop("magic", None)
        text, _, client = text.partition(" name=")
        if "name" in got:
            need(got.pop("name").rstrip(b"\0").decode("ascii") == client, f"{name}: another name")
        want = dict(pair.split("=") for pair in text.split())
        numbers = {f: int.from_bytes(v, "little") for f, v in got.items()}
        if "fatal" in numbers:
            numbers["fatal"] &= 1
        need(numbers == {f: int(v, 0) for f, v in want.items()}, f"{name}: by the page: {numbers}")


def check_names(page, wire, types, good):
    states = {(keys["type"], text) for keys, _, records in good for text in records}
    errors = {n[2:]: v for n, v in wire.items() if n.startswith("E_")}
    kinds = {n[5:]: v for n, v in wire.items() if n.startswith("KIND_")}
    for name, value in errors.items():
        need(re.search(rf"^\.It {value} {name}$", page, re.M), f"page: no error {value} {name}")
        need(any(t == "ERROR" and re.match(rf"error={value} ", r) for t, r in states),
             f"vectors: no ERROR {value} {name}")
    for name in types:
        need(any(t == name for t, _ in states), f"vectors: no {name}")
    refused = errors["FD_KIND_REFUSED"]
    for name, value in kinds.items():
        need(re.search(rf"^\.It {value} Ta \w+", page, re.M), f"page: no kind {value} {name}")
        if value == 0 or value >= 32:
            need(any(r.endswith(f" error={refused} detail={value}") for _, r in states),
                 f"vectors: kind {value} {name} is refused nowhere")
    for bit in ("READABLE", "WRITABLE", "PRIORITY", "HANGUP_ONLY", "READY_ERROR", "READ_CLOSED", "WRITE_CLOSED"):
        need(re.search(rf"^\.It 0x{wire[bit]:04x} Ta {bit.replace('READY_', '')} Ta", page, re.M), f"page: no bit {bit}")
    for mode in ("EDGE", "LEVEL", "ONESHOT"):
        need(re.search(rf"^\.It {wire[mode]} Ta {mode.lower()} Ta", page, re.M), f"page: no mode {mode}")
    for flag in ("KEEP", "DISARMED"):
        need(re.search(rf"^\.It 0x{wire['REG_' + flag]:x} Ta {flag} Ta", page, re.M), f"page: no flag {flag}")
    return len(errors) + len(kinds) + len(types)


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    page = (top / "man/readyd-protocol.7").read_text(encoding="utf-8")
    wire, every = header(top), vectors(top)
    types = {n: v for n, v in wire.items() if n in re.findall(r"^\.It 0x[0-9a-f]{2} Ta (\w+) Ta \d+ Ta", page, re.M)}
    enum = re.search(r"enum wire_type \{(.*?)\};", (top / "proto/wire/include/wire/wire.h").read_text(), re.S)
    for name in re.findall(r"WIRE_(\w+) =", enum.group(1)):
        need(name in types, f"page: no type {name}")
    good = [(keys, data, records) for keys, data, records in every if keys["result"] == "OK"]
    page_tables, sizes = check_tables(page, wire, types)
    for keys, data, records in good:
        check_vector(keys, data, records, page_tables, sizes)
    n_names = check_names(page, wire, types, good)
    for limit in ("FRAME_MAX", "EVENTS_MAX_BYTES", "BATCH_MAX", "UNANSWERED_MAX", "DEREGISTER_MAX", "EVENTS_MAX"):
        need(re.search(rf"\b{wire[limit]}\b", page), f"page: no {limit}, {wire[limit]}")
    need(" ".join(f"{b:02x}" for b in b"\x89RDY\r\n\x1a\n") in page, "page: no magic")
    examples = re.findall(r"^\.Bd -literal.*\n((?:[0-9a-f]{2}(?: [0-9a-f]{2})*\n)+)\.Ed", page, re.M)
    need(len(examples) >= 8, "page: no example")
    for text in examples:
        need(any(message(text) == data for _, data, _ in good), "page: an example is no vector:\n" + text)
    for b in bad:
        print(b)
    print(f"protocol: {n_names} names, {len(good)} vectors decoded by the page, {len(examples)} examples, {len(bad)} findings")
    return bool(bad) or len(good) < 50


sys.exit(main())
