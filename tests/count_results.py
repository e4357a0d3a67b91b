#!/usr/bin/env python3
"""Counts the results of ctest runs, given as its JUnit files, and says what failed and what was skipped.

ctest writes "notrun" for a test that skipped itself and for one that it could not start; only the first is a
skip. Whatever is neither that nor a clean run has failed.
"""
import sys
import xml.etree.ElementTree as xml


def outcome(case):
    status = case.get("status")
    if status == "run" and case.find("failure") is None:
        return "passed"
    skipped = case.find("skipped")
    if status == "notrun" and skipped is not None and skipped.get("message", "").startswith("SKIP_"):
        return "skipped"
    return "failed"


def main():
    names = {"passed": [], "failed": [], "skipped": []}
    for path in sys.argv[1:]:
        for case in xml.parse(path).getroot().iter("testcase"):
            names[outcome(case)].append(case.get("name"))
    for word in ("skipped", "failed"):
        for name in names[word]:
            print(f"{word}: {name}")
    line = f"{len(names['passed'])} passed, {len(names['failed'])} failed"
    if names["skipped"]:
        line += f", {len(names['skipped'])} skipped"
    print(line)
    sys.exit(0 if names["passed"] and not names["failed"] else 1)


if __name__ == "__main__":
    main()
