#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs, manual and completions say the same: manual.py TOP READYD READYCTL.
Verbs and options (of the programs' help, of the pages, of the completions of three shells) and exit codes: what one of
them has the others have. Keys, metrics, calls and errors are held to their pages by tests beside their tables."""
import os
import re
import subprocess
import sys

top, readyd, readyctl = sys.argv[1:4]
OPTION = re.compile(r"(?<![\w=-])--[a-z][a-z-]*")
findings = 0


def finding(text):
    global findings
    findings += 1
    print(text)


def read(path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def say(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def same(what, name_a, a, name_b, b):
    for missing in sorted(a - b):
        finding(f"{what}: {missing} is in {name_a} and not in {name_b}")
    for missing in sorted(b - a):
        finding(f"{what}: {missing} is in {name_b} and not in {name_a}")


def options_of_help(text):
    """Those that a line of their own explains."""
    found = set()
    for line in text.splitlines():
        m = re.match(r"  (-\S.*?)(?:  |$)", line)
        if m:
            found |= set(OPTION.findall(m.group(1)))
    return found


def options_of_page(page):
    """Those with an .It, and those that are only used somewhere in the page."""
    items, used = set(), set()
    for line in page.splitlines():
        flags = {"--" + f for f in re.findall(r"\bFl -([a-z][a-z-]*)", line)}
        used |= flags
        if line.startswith(".It "):
            items |= flags
    return items, used


def exits_of_page(page):
    part = page.split(".Sh EXIT STATUS")[1].split("\n.Sh ")[0]
    return {int(n) for n in re.findall(r"^\.It (\d+)$", part, re.M)}


def check_readyctl():
    page = read("man/readyctl.1")
    bash = read("packaging/completions/bash/readyctl")
    fish = read("packaging/completions/fish/readyctl.fish")
    zsh = read("packaging/completions/zsh/_readyctl")
    verbs = set(re.search(r"verbs='([a-z -]+)'", bash).group(1).split())
    same("verbs", "bash", verbs, "fish", set(re.search(r"^set -l verbs (.+)$", fish, re.M).group(1).split()))
    same("verbs", "bash", verbs, "zsh", set(re.findall(r"([a-z-]+)\\:\"", zsh)))
    synopsis = page.split(".Sh SYNOPSIS")[1].split(".Sh DESCRIPTION")[0]
    same("verbs", "bash", verbs, "SYNOPSIS of readyctl(1)", {word for line in re.findall(r"^\.Nm\n\.Cm (.+)$", synopsis, re.M) for word in line.split() if word != "|"})
    same("verbs", "bash", verbs, "DESCRIPTION of readyctl(1)",
         verbs & set(re.split(r"[ ,]+", " ".join(re.findall(r"^\.It Cm (.+)$", page, re.M)))))
    helped = set()
    for verb in sorted(verbs):
        text = say(readyctl, "help", verb)
        if not text.startswith("usage: readyctl " + verb):
            finding(f"readyctl help {verb}: another verb's")
        options = options_of_help(text)
        helped |= options
        part = re.search(rf"^\t(?:[a-z-]+ \| )*{verb}(?: \| [a-z-]+)*\) words=(.+?) ;;", bash, re.M)
        words = part.group(1) if part else ""
        if "$control" in words:
            words += " " + re.search(r"control='([^']*)'", bash).group(1)
        completed = set(OPTION.findall(words)) - {"--help"}
        same(f"readyctl {verb}", "its help", options, "bash", completed)
    helped |= {"--help", "--version"}
    items, used = options_of_page(page)
    same("readyctl", "help", helped, "readyctl(1)", used)
    for option in sorted(helped - items - {"--help"}):
        if f"Fl -{option[2:]}" not in page:
            finding(f"readyctl(1) does not explain {option}")
    codes = {int(n) for name, n in re.findall(r"^\tCTL_([A-Z_]+) = (\d+),", read("daemon/ctl/errors.h"), re.M)
             if name != "CLOSED"}
    same("exit codes of readyctl", "errors.h", codes, "readyctl(1)", exits_of_page(page))


def check_columns():
    """Titles of the columns of each list: an error names them, completions have them."""
    for option, first in ("--sessions", "session user"), ("--registrations", "session cookie"), ("--agents", "user pid state"):
        wrong = subprocess.run([readyctl, "ls", option, "-o", "?"], capture_output=True, text=True, check=False).stderr
        titles = set(re.search(r"try: -o (\S+)", wrong).group(1).split(","))
        for path in "bash/readyctl", "fish/readyctl.fish", "zsh/_readyctl":
            line = re.search(rf"(?:echo |__fish_append , |columns=\(){first}[a-z/ ]*", read("packaging/completions/" + path))
            words = set(re.sub(r"^(?:echo |__fish_append , |columns=\()", "", line.group(0)).split()) if line else set()
            same(f"columns of ls {option}", "readyctl", titles, path, words)


def check_readyd():
    page = read("man/readyd.8")
    bash = read("packaging/completions/bash/readyd")
    helped = options_of_help(say(readyd, "--help"))
    same("readyd", "--help", helped, "readyd(8)", options_of_page(page)[0] - {"--option"} | {"--help"} & helped)
    same("readyd", "--help", helped, "bash", set(OPTION.findall(bash.split("compgen -W \\\n")[1])))
    codes = {0, 1} | {int(n) for n in re.findall(r"#define EXIT_\w+ (\d+)", read("daemon/supervisor/options.h"))}
    same("exit codes of readyd", "options.h", codes, "readyd(8)", exits_of_page(page))


check_readyctl()
check_columns()
check_readyd()
print(f"manual: {findings} findings")
sys.exit(bool(findings))
