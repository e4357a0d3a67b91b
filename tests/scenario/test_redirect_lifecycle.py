"""install, replace and remove: whole or not at all, twice as well as once, and without a trace."""
import json
import os
import re
import socket
import subprocess

import pytest

from mesh import flags, wait
from mesh.network import APP_UID, PROXY_UID
from mesh.redirected import APP_PORT, REMOTE_PORT, RedirectedPod, listen


def redirect(pod, *words, **options):
    return pod.run(flags.redirect(*words), **options)


def state_of(pod):
    """Everything that an installation could leave behind, without counters and lifetimes."""
    commands = [["nft", "-s", "list", "ruleset"], ["ip", "addr", "show"], ["ip", "rule"], ["ip", "-6", "rule"],
                ["ip", "route", "show", "table", "all"], ["ip", "-6", "route", "show", "table", "all"]]
    shown = "\n".join(pod.run(command).stdout for command in commands)
    return re.sub(r"(valid_lft|preferred_lft|expires) \S+", "", shown)


@pytest.fixture
def pod(network):
    return network.pod("pod")


def test_twice_is_once(pod):
    redirect(pod, "install")
    once = state_of(pod)
    redirect(pod, "install")
    assert state_of(pod) == once
    assert once.count("table inet remora {") == 1 and "remora_twin" not in once


def test_remove_leaves_nothing(pod):
    before = state_of(pod)
    redirect(pod, "install")
    assert state_of(pod) != before
    redirect(pod, "remove")
    assert state_of(pod) == before


def test_remove_on_a_clean_namespace_and_twice_changes_nothing(pod):
    before = state_of(pod)
    redirect(pod, "remove")
    assert state_of(pod) == before
    redirect(pod, "install")
    redirect(pod, "remove")
    redirect(pod, "remove")
    assert state_of(pod) == before


def test_after_remove_everything_is_direct(network):
    place = RedirectedPod(network)
    redirect(place.pod, "remove")
    for family in (4, 6):
        own, remote = place.pod.address(family), place.peer.address(family)
        assert place.land(place.pod, remote, REMOTE_PORT)[0] == "remote"
        assert place.land(place.peer, own, APP_PORT)[0] == "app"
        assert place.land(place.pod, own, APP_PORT, uid=PROXY_UID)[0] == "app"


def test_tables_of_others_are_left_alone(pod):
    pod.run(["nft", "table inet theirs { chain c { type filter hook input priority 0; tcp dport 9 drop; }; }"])
    before = state_of(pod)
    redirect(pod, "install")
    redirect(pod, "remove")
    assert state_of(pod) == before


def test_replacing_keeps_open_connections_and_leads_new_ones_elsewhere(network):
    place = RedirectedPod(network)
    with place.peer.entered(), socket.socket() as echo_listener:
        echo_listener.bind((place.peer.ip4, 7100))
        echo_listener.listen()
        with place.pod.entered():
            proxy = socket.create_server(("127.0.0.1", 14001))
        with proxy:
            redirect(place.pod, "install", "--no-live-check", "--outbound-port", "14001")
            with place.pod.entered():
                client = socket.create_connection((place.peer.ip4, 7100), timeout=5)
            proxy.settimeout(5)
            server, _ = proxy.accept()
            with client, server:
                redirect(place.pod, "install", "--no-live-check")
                for _ in range(3):
                    client.sendall(b"still here")
                    assert server.recv(100) == b"still here"
                assert place.land(place.pod, place.peer.ip4, REMOTE_PORT)[3] == ["127.0.0.1", 15001]
                client.sendall(b"and after")
                assert server.recv(100) == b"and after"


def test_without_the_ipv6_twin_a_self_call_skips_the_inbound_side(network):
    """Shows that the tests of self calls can fail."""
    place = RedirectedPod(network)
    own = place.pod.ip6
    assert place.land(place.pod, own, APP_PORT, uid=PROXY_UID)[0] == "proxy"
    rules = place.pod.run(["nft", "-a", "list", "chain", "inet", "remora", "out"]).stdout
    handle = re.search(r'self-call-ip6" # handle (\d+)', rules).group(1)
    place.pod.run(["nft", "delete", "rule", "inet", "remora", "out", "handle", handle])
    assert place.land(place.pod, own, APP_PORT, uid=PROXY_UID)[0] == "app"


def test_without_ipv6_everything_works_for_ipv4(network):
    pod, peer = network.pod("pod"), network.pod("peer")
    pod.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"])
    done = redirect(pod, "install")
    assert "IPv4" in done.stdout and re.search(r"skipped\s+family\s+IPv6", done.stdout)
    listen(pod, "proxy", PROXY_UID, 15001, 15006)
    listen(peer, "remote", APP_UID, REMOTE_PORT)
    assert json.loads(pod.dial(peer.ip4, REMOTE_PORT).reply)["listener"] == "proxy"
    redirect(pod, "remove")
    assert json.loads(pod.dial(peer.ip4, REMOTE_PORT).reply)["listener"] == "remote"


def test_what_cannot_be_installed_whole_leaves_nothing(pod):
    """Another program owns the table's name, so the kernel refuses the transaction."""
    owner = subprocess.Popen(["nsenter", f"--net=/run/netns/{pod.name}", "setpriv", "--pdeathsig", "KILL", "nft", "-i"],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        owner.stdin.write("add table inet remora { flags owner; }\n")
        owner.stdin.flush()
        wait.until(lambda: "remora" in pod.run(["nft", "list", "tables"]).stdout, "the table of the other program")
        addresses = pod.run(["ip", "addr"]).stdout
        done = redirect(pod, "install", check=False)
        assert done.returncode == 1 and "remora-redirect:" in done.stderr
        assert pod.run(["ip", "addr"]).stdout == addresses
        # An address that was there before is not taken away.
        pod.ip("-6", "addr", "add", "::6/128", "dev", "lo")
        assert redirect(pod, "install", check=False).returncode == 1
        assert "::6/128" in pod.run(["ip", "addr"]).stdout
    finally:
        owner.kill()
        owner.wait()


def test_dry_run_and_print_change_nothing(pod):
    before = state_of(pod)
    dry = redirect(pod, "install", "--dry-run", "--exclude-outbound-ports", "25,24")
    assert "elements = { 24-25 }" in dry.stdout
    assert state_of(pod) == before
    printed = redirect(pod, "print", "--exclude-outbound-ports", "25,24", uid=APP_UID)
    assert printed.stdout == dry.stdout
    assert json.loads(redirect(pod, "print", "-o", "json", "--exclude-outbound-ports", "25,24",
                               uid=APP_UID).stdout) == {"ok": True, "rules": dry.stdout}


def test_printed_rules_are_what_install_installs(pod):
    pod.run(["nft", "-f", "-"], input=redirect(pod, "print").stdout)
    by_hand = pod.run(["nft", "-s", "list", "ruleset"]).stdout
    redirect(pod, "install")
    assert pod.run(["nft", "-s", "list", "ruleset"]).stdout == by_hand


def test_without_the_right_to_filter_it_says_so(pod):
    for command in ("install", "verify", "remove"):
        done = redirect(pod, command, uid=APP_UID, check=False)
        assert done.returncode == 1 and "CAP_NET_ADMIN" in done.stderr


def test_the_machines_own_network_is_refused():
    done = subprocess.run(flags.redirect("install", "--dry-run"), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "--host-network" in done.stderr


@pytest.mark.parametrize("words, reason", [
    ([], "say one of"),
    (["install", "remove"], "say one of"),
    (["instal"], "'instal' is not a command"),
    (["install", "--nonsense"], "--nonsense: no such flag"),
    (["install", "-x"], "-x: no such flag"),
    (["install", "--uid"], "--uid: a value is missing"),
    (["install", "--uid", "0"], "must not be 0"),
    (["install", "--gid", "0"], "must not be 0"),
    (["install", "--uid", "4294967295"], "no uid"),
    (["install", "--uid", "-1"], "--uid: '-1' is not a number"),
    (["install", "--uid", "root"], "--uid: 'root' is not a number"),
    (["install", "--outbound-port", "0"], "must be 1-65535"),
    (["install", "--inbound-port", "65536"], "--inbound-port: '65536' is not a number"),
    (["install", "--inbound-port", "15001"], "must differ"),
    (["install", "--hbone-port", "15006"], "must differ"),
    (["install", "--service-ports", "15006"], "also among the service ports"),
    (["install", "--exclude-inbound-ports", "15000-15010"], "also among the excluded inbound ports"),
    (["install", "--exclude-inbound-ports", "90-80"], "'90-80' is not a range"),
    (["install", "--exclude-outbound-ports", ""], "an empty list"),
    (["install", "--exclude-outbound-cidrs", "10.0.0.1/8"], "host bits must be 0"),
    (["install", "--include-outbound-cidrs", "example.com"], "is not an address block"),
    (["install", "--timeout", "0s"], "is not a time"),
    (["install", "--timeout", "10"], "is not a time"),
    (["install", "-o", "yaml"], "neither text nor json"),
])
def test_wrong_flags_are_told_and_change_nothing(pod, words, reason):
    before = state_of(pod)
    done = redirect(pod, *words, check=False) if words else pod.run(flags.redirect("print")[:1], check=False)
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr and done.stderr.startswith("remora-redirect: ") and done.stdout == ""
    assert state_of(pod) == before


def test_wrong_flags_are_told_in_json_too(pod):
    done = redirect(pod, "-o", "json", "install", "--uid", "0", check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 2 and answer["ok"] is False and "must not be 0" in answer["error"]


def test_environment_speaks_where_flags_are_silent(pod):
    environment = {**os.environ, "REMORA_OUTBOUND_PORT": "14001", "REMORA_EXCLUDE_OUTBOUND_PORTS": "25",
                   "REMORA_UID": "2102", "REMORA_GID": ""}
    printed = redirect(pod, "print", "--uid", "2103", env=environment).stdout
    assert "redirect to :14001" in printed and "elements = { 25 }" in printed
    assert "skuid 2103" in printed and "2102" not in printed and "skgid 1337" in printed
    done = redirect(pod, "print", env={**environment, "REMORA_INBOUND_PORT": "x"}, check=False)
    assert done.returncode == 2 and "REMORA_INBOUND_PORT: 'x'" in done.stderr


def test_help_and_version(pod):
    shown = redirect(pod, "--help", uid=APP_UID).stdout
    for word in ("install", "verify", "remove", "print", "--exclude-outbound-cidrs", "126"):
        assert word in shown
    assert re.fullmatch(r"remora-redirect \d+\.\d+\.\d+\n", redirect(pod, "--version", uid=APP_UID).stdout)
