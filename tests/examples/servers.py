#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The servers among the examples, from outside: servers.py ECHO UDP. Says TAP."""
import signal
import socket
import subprocess
import sys
import threading

LIMIT_S = 20


def address(text):
    host, port = text.strip().rsplit(":", 1)
    return host.strip("[]"), int(port)


def talk(at, data, ret):
    with socket.create_connection(at, LIMIT_S) as s:
        # Nothing is read until all is written: it has to hold back, and must not lose any.
        writer = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        writer.start()
        got = bytearray()
        while part := s.recv(65536):
            got += part
        writer.join()
    ret.append(bytes(got) == data)


def echo(program, listen):
    server = subprocess.Popen([program, listen], stdout=subprocess.PIPE, text=True)
    try:
        at = address(server.stdout.readline())
        results = []
        clients = [threading.Thread(target=talk, args=(at, bytes([65 + i]) * (300000 * i + 1), results))
                   for i in range(5)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        server.send_signal(signal.SIGTERM)
        return results == [True] * 5 and server.wait(LIMIT_S) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def udp(program, listen):
    server = subprocess.Popen([program, listen, "3"], stdout=subprocess.PIPE, text=True)
    try:
        at = address(server.stdout.readline())
        with socket.socket(socket.AF_INET6 if ":" in at[0] else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(LIMIT_S)
            answers = []
            for n in (0, 5, 1000):
                s.sendto(bytes(n), at)
                answers.append(s.recv(64))
        return answers == [b"0\n", b"5\n", b"1000\n"] and server.wait(LIMIT_S) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def main():
    cases = [(echo, sys.argv[1], "127.0.0.1:0"), (echo, sys.argv[1], "[::1]:0"),
             (udp, sys.argv[2], "127.0.0.1:0"), (udp, sys.argv[2], "[::1]:0")]
    failed = 0
    for i, (case, program, listen) in enumerate(cases, 1):
        good = case(program, listen)
        failed += not good
        print("ok" if good else "not ok", i, case.__name__, listen, flush=True)
    print(f"1..{len(cases)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
