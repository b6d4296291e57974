#!/usr/bin/env python3
"""Holds the sources to limits that swift-format does not know: lines of files and functions, words that do not belong.

Exit status: 0 clean, 1 with each finding on a line as FILE:LINE: what.
"""
import os
import re
import subprocess
import sys

FILE_LINES = 400
FUNCTION_LINES = 60
LINE_LENGTH = 120
GENERATED = ("Sources/CWire/wire.pb-c.c", "Sources/CWire/include/wire.pb-c.h")
FORBIDDEN = [
    (re.compile(r"\btry!"), "try! ends the process: throw a typed error"),
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "open work belongs in an issue"),
    (re.compile(r"^\s*public\b"), "targets share by `package`"),
]
SWIFT_HEAD = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[\w()]+\s+)*(?:func\b|init[?]?[(<])")
C_HEAD = re.compile(r"^(?!typedef)(?:static |inline )*[A-Za-z_]\w*[\w* ]*\([^;]*$")


def sources():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "Sources", "Tests", "scripts"],
        capture_output=True, text=True, check=True).stdout
    for name in listed.split("\n"):
        if name.endswith((".swift", ".c", ".h", ".py", ".sh")) and name not in GENERATED and os.path.exists(name):
            yield name


def functions(name, lines):
    """First line and length of each function, by counting braces."""
    head = SWIFT_HEAD if name.endswith(".swift") else C_HEAD
    start, depth, opened = None, 0, False
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"(?:[^"\\]|\\.)*"|//.*', "", line)
        if start is None:
            if not head.match(line):
                continue
            start, depth, opened = number, 0, False
        depth += code.count("{") - code.count("}")
        opened = opened or "{" in code
        if opened and depth <= 0:
            yield start, number - start + 1
            start = None
        elif not opened and number - start > 12:
            start = None


def check(name):
    with open(name, encoding="utf-8") as file:
        lines = file.read().split("\n")
    if len(lines) - 1 > FILE_LINES:
        yield 1, f"{len(lines) - 1} lines, more than {FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LENGTH:
            yield number, f"{len(line)} characters, more than {LINE_LENGTH}"
        if name.startswith("Sources/") and name.endswith(".swift"):
            for pattern, reason in FORBIDDEN:
                if pattern.search(line):
                    yield number, reason
    if name.endswith((".swift", ".c", ".h")):
        for start, length in functions(name, lines):
            if length > FUNCTION_LINES:
                yield start, f"a function of {length} lines, more than {FUNCTION_LINES}"


def main():
    findings = [f"{name}:{line}: {what}" for name in sources() for line, what in check(name)]
    print("\n".join(findings), file=sys.stderr) if findings else None
    sys.exit(bool(findings))


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    main()
