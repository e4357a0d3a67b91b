"""verify proves the rules by connections, and names family and rule when they do not work."""
import json
import re
import socket
import time

import pytest

from mesh import flags
from mesh.network import APP_UID, PROXY_UID
from mesh.redirected import listen

NOT_IN_FORCE = 126

ALL_RULES = ["not-tcp", "excluded-inbound-ports", "inbound", "excluded-outbound-ports", "inbound-source-ip4",
             "inbound-source-ip6", "self-tunnel", "self-call-ip4", "self-call-ip6", "loopback-interface", "proxy-uid",
             "proxy-gid", "loopback-ip4", "loopback-ip6", "excluded-networks-ip4", "excluded-networks-ip6", "outbound"]

# The rules that connections made inside the pod can prove, with the check that misses them and its families.
PROVED = [
    ("self-call-ip4", "self-call", ["IPv4"]),
    ("self-call-ip6", "self-call", ["IPv6"]),
    ("inbound-source-ip4", "inbound-leg", ["IPv4"]),
    ("inbound-source-ip6", "inbound-leg", ["IPv6"]),
    ("proxy-uid", "proxy-uid-bypass", ["IPv4", "IPv6"]),
    ("proxy-gid", "proxy-gid-bypass", ["IPv4", "IPv6"]),
    ("outbound", "outbound", ["IPv4", "IPv6"]),
]


@pytest.fixture
def pod(network):
    made = network.pod("pod")
    made.run(flags.redirect("install", "--no-live-check"))
    return made


def verify(pod, *words, prefix=()):
    """(exit status, {(name, family): check})."""
    done = pod.run([*prefix, *flags.redirect("verify", "-o", "json", *words)], check=False)
    answer = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0)
    return done.returncode, {(check["name"], check["family"]): check for check in answer["checks"]}


def failed(checks):
    return {key for key, check in checks.items() if check["result"] == "failed"}


def results(checks, name):
    return [check["result"] for (its_name, _), check in checks.items() if its_name == name]


def delete_rule(pod, name):
    for chain in ("pre", "out"):
        listing = pod.run(["nft", "-a", "list", "chain", "inet", "remora", chain]).stdout
        match = re.search(rf'comment "{name}" # handle (\d+)', listing)
        if match:
            pod.run(["nft", "delete", "rule", "inet", "remora", chain, "handle", match.group(1)])
            return
    raise LookupError(name)


def test_rules_in_place_pass_quickly(pod):
    started = time.monotonic()
    status, checks = verify(pod)
    assert time.monotonic() - started < 3
    assert status == 0 and {check["result"] for check in checks.values()} == {"passed"}
    for name in ("outbound", "self-call", "inbound-leg", "own-address", "loopback", "proxy-uid-bypass",
                 "proxy-gid-bypass"):
        assert results(checks, name) == ["passed", "passed"], name


def test_install_verifies(network):
    done = network.pod("pod").run(flags.redirect("install"))
    assert re.search(r"passed\s+outbound\s+IPv4\s+\[outbound\]", done.stdout)
    assert re.search(r"passed\s+self-call\s+IPv6\s+\[self-call-ip6\]", done.stdout)


def test_verify_leaves_nothing_behind(pod):
    before = pod.run(["nft", "-s", "list", "ruleset"]).stdout
    verify(pod)
    assert pod.run(["nft", "-s", "list", "ruleset"]).stdout == before
    # The proxy can take its ports at once, even one that does not ask to reuse addresses.
    for host, port in (("127.0.0.1", 15001), ("::1", 15001), ("::", 15006)):
        with pod.entered(), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
            listener.bind((host, port))


def test_no_table_fails_for_both_families(pod):
    pod.run(["nft", "delete", "table", "inet", "remora"])
    started = time.monotonic()
    status, checks = verify(pod)
    assert time.monotonic() - started < 10
    assert status == NOT_IN_FORCE
    assert failed(checks) == {("rules", ""), ("outbound", "IPv4"), ("outbound", "IPv6"), ("self-call", "IPv4"),
                              ("self-call", "IPv6")}
    assert checks["outbound", "IPv6"]["rule"] == "outbound"


def test_time_is_limited(pod):
    pod.run(["nft", "delete", "table", "inet", "remora"])
    started = time.monotonic()
    status, checks = verify(pod, "--timeout", "300ms")
    assert time.monotonic() - started < 2
    assert status == NOT_IN_FORCE and ("outbound", "IPv4") in failed(checks)


def test_little_time_is_enough_when_all_is_well(pod):
    started = time.monotonic()
    status, checks = verify(pod, "--timeout", "1s")
    assert time.monotonic() - started < 2
    assert status == 0 and {check["result"] for check in checks.values()} == {"passed"}


def test_only_the_outbound_chain_fails(pod):
    pod.run(["nft", "flush", "chain", "inet", "remora", "pre"])
    pod.run(["nft", "delete", "chain", "inet", "remora", "pre"])
    status, checks = verify(pod, "--no-live-check")
    assert status == NOT_IN_FORCE and checks["rules", ""]["rule"] == "pre"


@pytest.mark.parametrize("rule", ALL_RULES)
def test_each_missing_rule_is_named(pod, rule):
    delete_rule(pod, rule)
    status, checks = verify(pod, "--no-live-check")
    assert status == NOT_IN_FORCE
    assert checks["rules", ""]["rule"] == rule and "is missing" in checks["rules", ""]["detail"]


@pytest.mark.parametrize("rule, name, families", PROVED, ids=[row[0] for row in PROVED])
def test_connections_miss_the_rules_that_they_can_prove(pod, rule, name, families):
    delete_rule(pod, rule)
    status, checks = verify(pod)
    assert status == NOT_IN_FORCE
    for family in families:
        assert (name, family) in failed(checks)
        assert checks[name, family]["rule"] == rule


def test_a_rule_of_somebody_else_in_our_table_is_named(pod):
    pod.run(["nft", "insert rule inet remora out tcp dport 443 return comment \"guest\""])
    status, checks = verify(pod, "--no-live-check")
    assert status == NOT_IN_FORCE and checks["rules", ""]["rule"] == "guest"


def test_a_changed_set_is_named(pod):
    pod.run(["nft", "add element inet remora skip_out { 443 }"])
    status, checks = verify(pod, "--no-live-check")
    assert status == NOT_IN_FORCE and checks["rules", ""]["rule"] == "skip_out"


def test_other_flags_than_those_installed_fail(pod):
    assert verify(pod, "--no-live-check")[0] == 0
    status, checks = verify(pod, "--no-live-check", "--uid", "2102")
    assert status == NOT_IN_FORCE and checks["rules", ""]["rule"] == "self-tunnel"


def test_somebody_who_translates_before_us_is_told_and_caught_by_connections(pod):
    pod.run(["nft", "table ip theirs { chain c { type nat hook output priority -150; ip daddr 192.0.2.0/24 tcp dport "
             "20001 redirect to :9; }; }"])
    status, checks = verify(pod)
    assert status == NOT_IN_FORCE
    assert failed(checks) == {("outbound", "IPv4")}
    assert checks["strangers", ""]["result"] == "warning" and "theirs" in checks["strangers", ""]["detail"]


def test_a_missing_source_address_is_named(pod):
    pod.ip("-6", "addr", "del", "::6/128", "dev", "lo")
    status, checks = verify(pod)
    assert status == NOT_IN_FORCE and failed(checks) == {("inbound-leg", "IPv6")}
    assert checks["inbound-leg", "IPv6"]["rule"] == "inbound-source-ip6"
    assert "source address" in checks["inbound-leg", "IPv6"]["detail"]


def test_while_the_proxy_runs_its_answers_and_the_counters_are_the_proof(pod):
    listen(pod, "proxy", PROXY_UID, 15001, 15006)
    status, checks = verify(pod)
    assert status == 0
    assert results(checks, "listen") and set(results(checks, "listen")) == {"warning"}
    assert results(checks, "outbound") == ["passed", "passed"]
    assert results(checks, "self-call") == ["passed", "passed"]


@pytest.mark.parametrize("rule, name, families", PROVED, ids=[row[0] for row in PROVED])
def test_while_the_proxy_runs_missing_rules_are_still_missed(pod, rule, name, families):
    listen(pod, "proxy", PROXY_UID, 15001, 15006)
    delete_rule(pod, rule)
    status, checks = verify(pod)
    assert status == NOT_IN_FORCE
    for family in families:
        assert (name, family) in failed(checks)


def test_without_the_right_to_act_as_others_it_says_what_was_not_tried(pod):
    status, checks = verify(pod, prefix=["setpriv", "--bounding-set", "-all,+net_admin"])
    assert status == 0
    assert results(checks, "outbound") == ["passed", "passed"]
    assert set(results(checks, "self-call")) == {"skipped"}
    assert "CAP_SETUID" in checks["self-call", "IPv4"]["detail"]


def test_a_family_without_addresses_is_skipped(pod):
    pod.run(["ip", "-6", "addr", "flush", "dev", "eth0"])
    pod.run(["ip", "-6", "route", "flush", "default"])
    status, checks = verify(pod)
    assert status == 0
    assert checks["outbound", "IPv6"]["result"] == "skipped"
    assert checks["self-call", "IPv6"]["result"] == "skipped"
    assert results(checks, "loopback") == ["passed", "passed"]


def test_without_a_default_route_a_neighbour_is_dialled(pod):
    pod.ip("route", "del", "default")
    pod.ip("-6", "route", "del", "default")
    status, checks = verify(pod)
    assert status == 0 and results(checks, "outbound") == ["passed", "passed"]


def test_an_address_without_any_route_fails(pod):
    pod.run(["ip", "-6", "route", "flush", "dev", "eth0"])
    pod.run(["ip", "-6", "route", "add", "fd77::2/128", "dev", "lo"], check=False)
    status, checks = verify(pod)
    assert status == NOT_IN_FORCE and ("outbound", "IPv6") in failed(checks)
    assert "route" in checks["outbound", "IPv6"]["detail"]


@pytest.mark.parametrize("words", [
    ["--exclude-outbound-ports", "20001-20005"],
    ["--exclude-outbound-cidrs", "192.0.2.0/24,2001:db8::/32"],
    ["--include-outbound-ports", "443"],
    ["--include-outbound-cidrs", "192.0.2.0/24"],
    ["--include-outbound-cidrs", "10.77.0.0/16,fd77::/64"],
    ["--include-inbound-ports", "8080"],
    ["--hbone-port", "0"],
    ["--uid", "65534", "--gid", "65534"],
])
def test_whatever_is_installed_can_be_proved(network, words):
    pod = network.pod("pod")
    done = pod.run(flags.redirect("install", *words), check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"passed\s+outbound\s+IPv4", done.stdout)
    assert re.search(r"passed\s+self-call\s+IPv6", done.stdout)


def test_lists_that_leave_nothing_to_redirect_are_told(network):
    done = network.pod("pod").run(flags.redirect("install", "--exclude-outbound-cidrs", "0.0.0.0/0"))
    assert re.search(r"skipped\s+outbound\s+IPv4\s+\[outbound\] the lists leave nothing", done.stdout)
    assert re.search(r"passed\s+outbound\s+IPv6", done.stdout)


def test_strangers_at_the_doors_do_no_harm(pod):
    """An application that dials while the check runs is led to the door, hears the token, and that is all."""
    client = pod.start(["/usr/bin/python3", "-c",
                        "import socket, time\n"
                        "print('dialling', flush=True)\n"
                        "while True:\n"
                        "    try:\n"
                        "        socket.create_connection(('192.0.2.9', 80), 1).close()\n"
                        "    except OSError:\n"
                        "        time.sleep(0.001)\n"], "client", uid=APP_UID)
    client.wait_log("dialling")
    status, checks = verify(pod)
    assert status == 0, checks
    assert client.is_running()
