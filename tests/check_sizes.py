#!/usr/bin/env python3
"""Functions, files and names stay small and plain.

    function <= 80 lines (95 % of them <= 50), source <= 600, header <= 150
    no name that says nothing: context, manager, handler, data, info, util, helper

A function is counted from the line of its name to its closing brace. Names are those that our code gives:
files, functions, types, members, variables, macros; what a library calls its own things is not ours.

    tests/check_sizes.py [--all]    prints every violation; --all also prints the longest functions
"""
import argparse
import math
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTION_LINES, FUNCTION_P95, SOURCE_LINES, HEADER_LINES = 80, 50, 600, 150
EMPTY_WORDS = {"context", "manager", "handler", "data", "info", "util", "helper"}
EMPTY_WORDS |= {word + "s" for word in EMPTY_WORDS}

# Where such a word is the proper name of a thing that no other word says: folder, part of a name.
PROPER_NAMES = [
    ("lib/base/", "log_info"), ("lib/base/", "log_level_info"),  # the level that everybody calls so
    ("lib/http/", "data"),              # DATA of RFC 9113, chunk-data of RFC 9112
    ("tests/unit/lib/http/", "data"),
    ("lib/grpc/", "data_loss"),         # a gRPC status
    ("proxy/", "trace_context"),        # the W3C recommendation
    ("tests/unit/proxy/", "trace_context"),
]

NOT_TYPES = {"return", "goto", "case", "else", "sizeof", "break", "continue", "do", "typeof"}
DECLARED = re.compile(r"\b([A-Za-z_]\w*)[\s*]+(?:const\s+)?([A-Za-z_]\w*)\s*(?=[;,)=\[])")
DEFINED = re.compile(r"^\s*#\s*define\s+(\w+)|\b(?:struct|union|enum)\s+(\w+)\s*\{|^\s+([A-Z]\w*)\s*(?:=[^;]*)?,\s*$")


def strip(text):
    """Without comments and without what stands in quotes; line numbers are kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return pattern.sub(lambda match: "\n" * match.group(0).count("\n") or '""', text)


def functions(lines):
    """(name, first line, last line) of each; a body opens with a brace of its own in column 1."""
    for number, line in enumerate(lines):
        if line != "{":
            continue
        first = number - 1
        while first > 0 and lines[first - 1].strip() and not lines[first - 1].rstrip().endswith((";", "}")) \
                and not lines[first - 1].startswith(("#", "}")):
            first -= 1
        head = " ".join(lines[first:number])
        name = re.search(r"(\w+)\s*\(", head)
        last = next((at for at in range(number, len(lines)) if lines[at] == "}"), len(lines) - 1)
        yield (name.group(1) if name else "?"), first + 1, last + 1


def is_empty_name(file, name):
    name = name.lower()
    for folder, proper in PROPER_NAMES:
        if file.startswith(folder):
            name = name.replace(proper, "")
    return any(part in EMPTY_WORDS for part in name.split("_"))


def names(text):
    """(line, name) of what the text declares."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in DEFINED.finditer(line):
            yield number, next(group for group in match.groups() if group)
        for match in DECLARED.finditer(line):
            if match.group(1) not in NOT_TYPES:
                yield number, match.group(2)


def files():
    for top in ("lib", "certs", "proxy", "control", "tests", "bench"):
        folder = ROOT / top
        if folder.is_dir():
            yield from sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".h"))


def check_file(path, sizes):
    name = path.relative_to(ROOT).as_posix()
    raw = path.read_text(encoding="utf-8")
    text = strip(raw)
    count = raw.count("\n")
    limit = HEADER_LINES if path.suffix == ".h" else SOURCE_LINES
    if count > limit:
        yield f"{name}: {count} lines, more than {limit}"
    if is_empty_name(name, path.stem):
        yield f"{name}: a file name that says nothing"
    for function, first, last in functions(text.splitlines()):
        sizes.append((last - first + 1, f"{name}:{first} {function}"))
        if last - first + 1 > FUNCTION_LINES:
            yield f"{name}:{first}: {function} has {last - first + 1} lines, more than {FUNCTION_LINES}"
        if is_empty_name(name, function):
            yield f"{name}:{first}: {function} is a name that says nothing"
    seen = set()
    for number, declared in names(text):
        if is_empty_name(name, declared) and declared not in seen:
            seen.add(declared)
            yield f"{name}:{number}: {declared} is a name that says nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also print the longest functions")
    options = parser.parse_args()
    sizes, complaints, count = [], [], 0
    for path in files():
        count += 1
        complaints += check_file(path, sizes)
    sizes.sort(reverse=True)
    # Tests are tables of cases; the share is asked of the programs.
    own = [size for size, where in sizes if not where.startswith(("tests/", "bench/"))]
    p95 = own[len(own) - math.ceil(0.95 * len(own))] if own else 0
    if p95 > FUNCTION_P95:
        complaints.append(f"95 % of the functions have up to {p95} lines, more than {FUNCTION_P95}")
    for complaint in complaints:
        print(complaint)
    if options.all:
        for size, where in sizes[:20]:
            print(f"{size:5} {where}")
    print(f"check_sizes: {len(complaints)} violations in {count} files, {len(sizes)} functions, "
          f"median {own[len(own) // 2] if own else 0}, 95 % up to {p95} lines")
    sys.exit(1 if complaints or count == 0 else 0)


if __name__ == "__main__":
    main()
