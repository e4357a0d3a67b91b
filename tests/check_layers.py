#!/usr/bin/env python3
"""Includes point down only.

Reads every #include "..." of the sources against two things: the layers below (the order that the folders
are thought in), and the link graph of CMakeLists.txt (which folder may use which). An include is right when
the folder that holds the header is in a lower layer, or the same one, and is linked by the folder that
includes it, directly or through others. The link graph itself must not point up either.

    tests/check_layers.py          prints every violation; exit status 1 when there is one
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Lower number = lower layer. lib and certs are seen by all; the proxy and the control plane do not see each
# other, and neither do the proxy and the one-shot that installs its rules.
SHARED = ["lib/base", "lib/stats", "lib/net", "lib/tls", "lib/http", "lib/grpc", "lib/xds", "certs"]
COLUMNS = {
    "proxy": [["proxy/config"], ["proxy/policy", "proxy/observe"], ["proxy/upstream"], ["proxy/request"],
              ["proxy/front", "proxy/discovery", "proxy/identity"], ["proxy/admin", "proxy/main"]],
    "redirect": [["proxy/redirect"], ["proxy/redirect/main"]],
    "control": [["control/object"], ["control/source"], ["control/model"],
                ["control/serve", "control/inject"], ["control/admin", "control/main", "control/cli"]],
    "bench": [["bench/load"], ["bench/load/main", "bench/floor", "bench/preload"]],
}


def ranks():
    """folder -> (column, rank); lib and certs are of column None."""
    found = {folder: (None, rank) for rank, folder in enumerate(SHARED)}
    for column, rows in COLUMNS.items():
        for rank, folders in enumerate(rows):
            found.update({folder: (column, rank) for folder in folders})
    return found


RANKS = ranks()


def folder_of(path):
    """The longest known folder that the path is in; None when it is in none."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        folder = "/".join(parts[:length])
        if folder in RANKS:
            return folder
    return None


def points_up(source, target):
    column, rank = RANKS[source]
    target_column, target_rank = RANKS[target]
    if target_column is None:
        return column is None and target_rank > rank
    return target_column != column or target_rank > rank


def target_name(folder):
    return "remora_" + re.sub(r"^lib/", "", folder).replace("/", "_")


def read_links(text):
    """folder -> set of targets named behind LINK, from the remora_folder and remora_program calls."""
    links = {}
    for kind, words in re.findall(r"^remora_(folder|program)\(([^)]*)\)", text, re.MULTILINE):
        words = words.split()
        folder = words[0] if kind == "folder" else words[1]
        links[folder] = set(words[words.index("LINK") + 1:]) if "LINK" in words else set()
    return links


def reachable(links):
    """folder -> set of folders that it links, directly or not, and itself."""
    by_target = {target_name(folder): folder for folder in links}
    closure = {}
    for start in links:
        seen, queue = {start}, [start]
        while queue:
            for target in links[queue.pop()]:
                folder = by_target.get(target)
                if folder is not None and folder not in seen:
                    seen.add(folder)
                    queue.append(folder)
        closure[start] = seen
    return closure


def check_links(links):
    by_target = {target_name(folder): folder for folder in links}
    for folder, targets in links.items():
        if folder not in RANKS:
            yield f"CMakeLists.txt: {folder} is in no layer of tests/check_layers.py"
            continue
        for target in targets:
            used = by_target.get(target)
            if used is not None and used in RANKS and points_up(folder, used):
                yield f"CMakeLists.txt: {folder} links {used}, which is above it or in another column"


def check_include(source, folder, included, closure):
    """One complaint, or None."""
    if included.endswith(".pb-c.h"):
        # Generated from lib/xds/proto.
        used = "lib/xds"
    elif not (ROOT / included).exists():
        return f"{included}: no such file (includes are named from the top folder)"
    else:
        used = folder_of(included)
        if used is None:
            return f"{included} is in no layer"
    if points_up(folder, used):
        return f"{included}: {used} is above {folder}, or in another column"
    if used not in closure.get(folder, ()):
        return f"{included}: {folder} does not link {used}"
    return None


def sources():
    for top in ("lib", "certs", "proxy", "control", "bench"):
        yield from sorted(path for path in (ROOT / top).rglob("*") if path.suffix in (".c", ".h", ".def"))


def check_sources(closure):
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        folder = folder_of(name)
        if folder is None:
            yield f"{name}: its folder is in no layer of tests/check_layers.py"
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            complaint = match and check_include(path, folder, match.group(1), closure)
            if complaint:
                yield f"{name}:{number}: {complaint}"


def main():
    links = read_links((ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    if len(links) < 20:
        sys.exit("check_layers: CMakeLists.txt no longer reads as expected")
    complaints = list(check_links(links)) + list(check_sources(reachable(links)))
    for complaint in complaints:
        print(complaint)
    print(f"check_layers: {len(complaints)} violations in {sum(1 for _ in sources())} files")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
