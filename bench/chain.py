#!/usr/bin/python3
"""What a request costs that goes through two sidecars: client -> A -> mutual TLS, HTTP/2 -> B -> origin.

Brings everything up on loopback (nobody needs to be root), measures, prints tables, and keeps each row in a CSV
file. bench/README.md says how the numbers come about and what they may be used for.

    bench/chain.py                      counts, then ten rounds against every peer that is installed (about 20 min)
    bench/chain.py --quick              Remora and the floor, about 90 s
    bench/chain.py --no-counts          times only
    bench/chain.py --rounds 0           counts only
    bench/chain.py --check              Remora's counts of allocations alone, about 10 s: exit status 1 when a request
                                        on warm connections allocates (a ctest)
    bench/chain.py --peers remora,haproxy
"""
import argparse
import sys

from rig import bench as benches, certificates, counts, envoy, machine, origin, peers, remora, rows, table

KINDS = {kind.name: kind for kind in (peers.Direct, peers.Floor, remora.Remora, peers.Haproxy, peers.Nghttpx,
                                      envoy.Envoy)}
CONNECTIONS = 64
RATES = (1000, 4000)
# What a worker does once or twice a second allocates a little; one allocation a request is 100 times as much.
ALLOCATIONS_BAR = 0.01
# The exit status that ctest knows as "skipped".
SKIPPED = 77


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds against the floor only")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=4, help="of each run, after its first second")
    parser.add_argument("--peers", help=f"of {','.join(KINDS)} (default: those installed)")
    parser.add_argument("--no-counts", action="store_true")
    parser.add_argument("--check", action="store_true", help="only whether a request allocates")
    parser.add_argument("--vary-ids", action="store_true", help="another x-request-id and trace id in every request")
    parser.add_argument("--rows", default="bench-chain.csv", help="where the rows are kept")
    parser.add_argument("--keep", action="store_true", help="keep logs, configurations and callgrind's profiles")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = min(options.rounds, 2), 1
        options.peers = options.peers or "direct,floor,remora"
    names = options.peers.split(",") if options.peers else [name for name, kind in KINDS.items() if kind.is_here()]
    unknown = set(names) - set(KINDS)
    if unknown:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}")
    missing = [name for name in names if not KINDS[name].is_here()]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}")
    options.kinds = [KINDS[name] for name in names]
    return options


def say(text):
    print(f"[bench] {text}", file=sys.stderr, flush=True)


# ---- Counts -----------------------------------------------------------------------------------------

def count_one(bench, kind, port, quick):
    """(name, instructions A, B, system calls by name, own allocations A, B or None, all allocations A, B)"""
    say(f"counting {kind.name}: system calls")
    peer = kind().start(bench, port)
    try:
        calls = counts.system_calls(bench, peer)
        own = counts.own_allocations(bench, peer) if kind is remora.Remora else None
    finally:
        peer.stop()
    say(f"counting {kind.name}: allocations")
    allocations = counts.all_allocations(bench, kind(), port)
    say(f"counting {kind.name}: instructions")
    instructions = counts.instructions(bench, kind(), port, *((300, 1300) if quick else (500, 2500)))
    return kind.name, instructions, calls, own, allocations


def print_counts(found):
    print(f"\n## Counts per request, {counts.IN_FLIGHT} in flight, A and B together\n")
    lines = []
    for name, instructions, calls, own, allocations in found:
        lines.append([name, sum(instructions.values()), instructions["A"], instructions["B"], sum(calls.values()),
                      f"{sum(own.values()):.3f}" if own else "-", sum(allocations.values())])
    print(table.text(["", "user instructions", "of A", "of B", "system calls", "allocations by own counter",
                      "with all libraries"], lines))
    print()
    for name, _instructions, calls, *_rest in found:
        print(f"- {name}: " + ", ".join(f"{call} {number:.2f}" for call, number in calls.items()))


def run_check(options):
    """Whether a request on warm connections is served without an allocation: the exit status."""
    if not origin.is_here():
        print("nginx is not installed")
        return SKIPPED
    with benches.Bench(options.keep) as bench:
        peer = remora.Remora().start(bench, origin.start(bench))
        own = counts.own_allocations(bench, peer)
        peer.stop()
    kept = all(each <= ALLOCATIONS_BAR for each in own.values())
    print(f"allocations per request: A {own['A']:.4f}, B {own['B']:.4f}; {'ok' if kept else 'NOT ok'}")
    return 0 if kept else 1


# ---- Times ------------------------------------------------------------------------------------------

def closed(bench, peer, options, sizes):
    """As many requests as fill the time; how many that are, the first round finds out."""
    if peer.name not in sizes:
        trial = bench.load(peer.port, "--connections", CONNECTIONS, "--requests", 10000, "--warmup", 5000)
        sizes[peer.name] = max(5000, int(trial["requests_per_s"] * options.seconds))
    return bench.load(peer.port, "--connections", CONNECTIONS, "--warmup", sizes[peer.name] // 5,
                      "--requests", sizes[peer.name], *options.words, watch=peer.pids)


def open_loop(bench, peer, options, rate, number):
    return bench.load(peer.port, "--connections", CONNECTIONS, "--rate", rate, "--seed", number,
                      "--duration", f"{int((options.seconds + 1) * 1000)}ms", *options.words, watch=peer.pids)


def scenarios(bench, options):
    """(name, function of peer and round)"""
    sizes = {}
    found = [("C1", lambda peer, number: closed(bench, peer, options, sizes))]
    for rate in RATES:
        found.append((f"C2 {rate}/s", lambda peer, number, rate=rate: open_loop(bench, peer, options, rate, number)))
    return found


def run_rounds(bench, options, port, kept):
    """Interleaved, so that what the machine does meanwhile meets all alike."""
    running = [kind().start(bench, port) for kind in options.kinds]
    planned = scenarios(bench, options)
    for number in range(1, options.rounds + 1):
        for scenario, run in planned:
            for peer in running:
                row = run(peer, number)
                kept.add(number, scenario, peer.name, row)
                say(f"round {number}/{options.rounds} {scenario} {peer.name}: "
                    f"{row.get('cpu_us_per_request', 0):.1f} us/request, p50 {row.get('p50_us', 0):.0f} us"
                    f"{'' if row['clean'] else ', noisy'}{', ERRORS' if row['errors'] else ''}")
    for peer in running:
        peer.stop()


def ratio(values):
    """Median of the ratios, and its interval."""
    if not values:
        return "-"
    low_high = table.interval(values)
    return f"{table.median(values):.2f}" + (f" [{low_high[0]:.2f}, {low_high[1]:.2f}]" if low_high else "")


def spread(values):
    """Minimum / median."""
    return f"{min(values):.1f} / {table.median(values):.1f}" if values else "-"


def print_closed(kept, names, only_clean):
    print(f"\n## C1: {CONNECTIONS} connections, closed loop\n")
    lines = []
    for name in names:
        rates = kept.values("C1", name, "requests_per_s", only_clean)
        busy = kept.values("C1", name, "busy", only_clean)
        if name == "direct" or not rates:
            continue
        lines.append([name, spread(kept.values("C1", name, "cpu_us_per_request", only_clean)), table.median(rates),
                      table.median(busy),
                      ratio(kept.ratios("C1", name, "remora", "cpu_us_per_request", only_clean))])
    print(table.text(["", "us CPU/request A+B, min / median", "requests/s", "cores busy", "CPU over remora's"], lines))


def print_open(kept, names, rate, only_clean):
    scenario = f"C2 {rate}/s"
    print(f"\n## C2: {rate} requests/s, open loop, {CONNECTIONS} connections\n")
    lines = []
    for name in names:
        cells = [name, spread(kept.values(scenario, name, "cpu_us_per_request", only_clean))
                 if name != "direct" else "-"]
        for field in ("p50_us", "p99_us"):
            cells.append(table.median(kept.values(scenario, name, field, only_clean)))
            cells.append(table.median(kept.differences(scenario, name, "direct", field, only_clean))
                         if name != "direct" else "-")
        cells.append("-" if name == "direct" else
                     ratio(kept.ratios(scenario, name, "remora", "cpu_us_per_request", only_clean)))
        lines.append(cells)
    print(table.text(["", "us CPU/request A+B, min / median", "p50, us", "added", "p99, us", "added",
                      "CPU over remora's"], lines))


def print_times(kept, names):
    clean, count = kept.clean_share()
    # Fewer than three clean rounds say nothing; then all are shown, and said to be noisy.
    only_clean = all(len(kept.of(scenario, name, True)) >= 3 for scenario in {row["scenario"] for row in kept.all}
                     for name in names)
    print(f"\n{clean} of {count} runs had less than {machine.Noise.GATE_CORES} core of foreign CPU and steal; "
          + ("the tables are of those." if only_clean else
             "too few: the tables are of ALL runs, and their times are upper bounds."))
    print_closed(kept, names, only_clean)
    for rate in RATES:
        print_open(kept, names, rate, only_clean)
    errors = sum(row["errors"] for row in kept.all)
    print(f"\n{errors} requests failed." if errors else "\nNo request failed.")
    return errors


def main():
    options = read_options()
    options.words = ["--vary-ids"] if options.vary_ids else []
    errors = 0
    if options.check:
        sys.exit(run_check(options))
    with benches.Bench(options.keep) as bench:
        certificates.make(bench.make_folder("pki"))
        port = origin.start(bench)
        print(f"Machine: {machine.describe()}. A and B share one core, client and origin have the other.")
        if not options.no_counts:
            print_counts([count_one(bench, kind, port, options.quick) for kind in options.kinds
                          if kind is not peers.Direct])
        if options.rounds:
            kept = rows.Rows(options.rows)
            run_rounds(bench, options, port, kept)
            errors = print_times(kept, [kind.name for kind in options.kinds])
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
