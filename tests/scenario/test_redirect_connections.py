"""Who lands where: each row of the table of connections, in both families, by connections that are made."""
import socket

import pytest

from mesh.network import APP_UID, PROXY_UID
from mesh.redirected import APP_PORT, EXCLUDED_PORT, REMOTE_PORT, SERVICE_PORTS, RedirectedPod, listen

VIRTUAL = {4: "10.96.0.10", 6: "fd96::10"}


@pytest.fixture
def place(network):
    return RedirectedPod(network)


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def family(request):
    return request.param


def loopback(family):
    return "127.0.0.1" if family == 4 else "::1"


def test_application_to_remote_meets_the_outbound_side(place, family):
    remote = place.peer.address(family)
    listener, original, peer, local = place.land(place.pod, remote, REMOTE_PORT)
    assert (listener, original) == ("proxy", [remote, REMOTE_PORT])
    assert local == [loopback(family), 15001]
    assert peer[0] == place.pod.address(family)


def test_application_to_cluster_address_keeps_that_address(place, family):
    listener, original, _, local = place.land(place.pod, VIRTUAL[family], 80)
    assert (listener, original) == ("proxy", [VIRTUAL[family], 80])
    assert local == [loopback(family), 15001]


def test_cluster_address_that_the_node_translates_is_still_the_one_seen(place, family):
    place.network.translate(VIRTUAL[family], 80, place.peer, REMOTE_PORT)
    assert place.land(place.pod, VIRTUAL[family], 80)[:2] == ("proxy", [VIRTUAL[family], 80])
    # The translation works: the proxy's own connection is led to the remote by it.
    assert place.land(place.pod, VIRTUAL[family], 80, uid=PROXY_UID)[0] == "remote"


def test_peer_to_application_meets_the_inbound_side(place, family):
    own = place.pod.address(family)
    listener, original, peer, local = place.land(place.peer, own, APP_PORT)
    assert (listener, original) == ("proxy", [own, APP_PORT])
    assert local == [own, 15006]
    assert peer[0] == place.peer.address(family)


def test_peer_to_a_port_without_listener_still_meets_the_inbound_side(place, family):
    own = place.pod.address(family)
    assert place.land(place.peer, own, 9999)[:2] == ("proxy", [own, 9999])


def test_node_probe_meets_the_inbound_side(place, family):
    own = place.pod.address(family)
    assert place.land(place.network.node, own, APP_PORT, uid=0)[:2] == ("proxy", [own, APP_PORT])


@pytest.mark.parametrize("port", SERVICE_PORTS)
def test_peer_to_service_port_is_direct(place, family, port):
    own = place.pod.address(family)
    listener, original, _, local = place.land(place.peer, own, port)
    assert listener == "proxy" and local == [own, port] and original in (None, [own, port])


@pytest.mark.parametrize("port", [15001, 15006])
def test_peer_to_a_proxy_listener_lands_inbound_with_the_port_as_target(place, family, port):
    own = place.pod.address(family)
    listener, original, _, local = place.land(place.peer, own, port)
    assert (listener, original, local) == ("proxy", [own, port], [own, 15006])


def test_application_to_loopback_is_direct(place, family):
    listener, original, peer, local = place.land(place.pod, loopback(family), APP_PORT)
    assert listener == "app" and local == [loopback(family), APP_PORT] and peer[0] == loopback(family)
    assert original in (None, local)


def test_application_to_own_address_is_direct(place, family):
    own = place.pod.address(family)
    listener, _, _, local = place.land(place.pod, own, APP_PORT)
    assert (listener, local) == ("app", [own, APP_PORT])


def test_proxy_to_remote_is_direct(place, family):
    assert place.land(place.pod, place.peer.address(family), REMOTE_PORT, uid=PROXY_UID)[0] == "remote"


def test_proxy_to_own_address_meets_the_inbound_side(place, family):
    own = place.pod.address(family)
    listener, original, _, local = place.land(place.pod, own, APP_PORT, uid=PROXY_UID)
    assert (listener, original) == ("proxy", [own, APP_PORT])
    # A redirect at the output hook leads to the loopback address, so the inbound side listens there too.
    assert local == [loopback(family), 15006]


def test_proxy_to_loopback_is_direct(place, family):
    assert place.land(place.pod, loopback(family), APP_PORT, uid=PROXY_UID)[0] == "app"


def test_proxy_from_the_inbound_source_reaches_the_application(place, family):
    own = place.pod.address(family)
    source = "127.0.0.6" if family == 4 else "::6"
    listener, _, peer, local = place.land(place.pod, own, APP_PORT, uid=PROXY_UID, source=source)
    assert (listener, peer[0], local) == ("app", source, [own, APP_PORT])


def test_proxy_tunnel_to_own_address_stays_a_tunnel(place, family):
    tunnel = listen(place.pod, "tunnel", PROXY_UID, 15008)
    own = place.pod.address(family)
    assert tunnel.is_running()
    assert place.land(place.pod, own, 15008, uid=PROXY_UID)[0] == "tunnel"
    assert place.land(place.peer, own, 15008)[0] == "tunnel"


def test_group_of_the_proxy_is_direct(place, family):
    remote = place.peer.address(family)
    assert place.land(place.pod, remote, REMOTE_PORT, uid=APP_UID, gid=PROXY_UID)[0] == "remote"


def test_group_of_the_proxy_to_own_address_is_direct(place, family):
    own = place.pod.address(family)
    assert place.land(place.pod, own, APP_PORT, uid=APP_UID, gid=PROXY_UID)[0] == "app"


def test_user_of_the_proxy_with_another_group_is_direct(place, family):
    remote = place.peer.address(family)
    assert place.land(place.pod, remote, REMOTE_PORT, uid=PROXY_UID, gid=APP_UID)[0] == "remote"


def test_datagrams_are_not_touched(place, family):
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with place.peer.entered():
        receiver = socket.socket(kind, socket.SOCK_DGRAM)
    with place.pod.entered():
        sender = socket.socket(kind, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.settimeout(5)
        receiver.bind((place.peer.address(family), 5353))
        sender.sendto(b"hello", (place.peer.address(family), 5353))
        answer, source = receiver.recvfrom(100)
        assert (answer, source[0]) == (b"hello", place.pod.address(family))


def test_ping_is_not_touched(place, family):
    # An ICMP echo by hand: the machine may have no ping(8).
    kind, protocol, echo = (socket.AF_INET, 1, 8) if family == 4 else (socket.AF_INET6, 58, 128)
    with place.pod.entered():
        raw = socket.socket(kind, socket.SOCK_RAW, protocol)
    packet = bytes([echo, 0, 0, 0, 0, 1, 0, 1]) + b"remora"
    total = sum(int.from_bytes(packet[i:i + 2], "big") for i in range(0, len(packet), 2))
    total = (total >> 16) + (total & 0xffff)
    packet = packet[:2] + (0xffff - total).to_bytes(2, "big") + packet[4:]
    with raw:
        raw.settimeout(5)
        raw.sendto(packet, (place.peer.address(family), 0))
        while True:
            answer = raw.recv(2000)
            answer = answer[20:] if family == 4 else answer
            if answer[0] == (0 if family == 4 else 129):
                break
        assert answer.endswith(b"remora")


# What the flags leave out.

def test_excluded_outbound_port_is_direct(network, family):
    place = RedirectedPod(network, "--exclude-outbound-ports", f"25,{EXCLUDED_PORT - 5}-{EXCLUDED_PORT}")
    remote = place.peer.address(family)
    assert place.land(place.pod, remote, EXCLUDED_PORT)[0] == "remote"
    assert place.land(place.pod, remote, REMOTE_PORT)[0] == "proxy"


def test_excluded_outbound_network_is_direct(network, family):
    place = RedirectedPod(network, "--exclude-outbound-cidrs", "10.77.0.0/16,fd77::/64")
    assert place.land(place.pod, place.peer.address(family), REMOTE_PORT)[0] == "remote"
    assert place.land(place.pod, VIRTUAL[family], 80)[0] == "proxy"


def test_excluded_network_of_one_family_leaves_the_other_in(network):
    place = RedirectedPod(network, "--exclude-outbound-cidrs", "10.77.0.0/16")
    assert place.land(place.pod, place.peer.ip4, REMOTE_PORT)[0] == "remote"
    assert place.land(place.pod, place.peer.ip6, REMOTE_PORT)[0] == "proxy"


def test_port_and_network_exclusions_hold_together(network, family):
    place = RedirectedPod(network, "--exclude-outbound-cidrs", "10.96.0.0/16,fd96::/64", "--exclude-outbound-ports",
                  str(EXCLUDED_PORT))
    remote = place.peer.address(family)
    assert place.land(place.pod, remote, EXCLUDED_PORT)[0] == "remote"
    assert place.land(place.pod, remote, REMOTE_PORT)[0] == "proxy"
    assert not place.pod.dial(VIRTUAL[family], 80, timeout=0.3).ok


def test_excluded_inbound_port_is_direct(network, family):
    place = RedirectedPod(network, "--exclude-inbound-ports", str(EXCLUDED_PORT))
    own = place.pod.address(family)
    assert place.land(place.peer, own, EXCLUDED_PORT)[0] == "app"
    assert place.land(place.peer, own, APP_PORT)[0] == "proxy"


def test_metadata_address_is_direct_by_default(place):
    assert not place.pod.dial("169.254.169.254", 80, timeout=0.3).ok
    assert place.land(place.pod, "169.254.169.253", 80)[0] == "proxy"


def test_included_inbound_ports_leave_the_rest_alone(network, family):
    place = RedirectedPod(network, "--include-inbound-ports", str(APP_PORT))
    own = place.pod.address(family)
    assert place.land(place.peer, own, APP_PORT)[0] == "proxy"
    assert place.land(place.peer, own, EXCLUDED_PORT)[0] == "app"


def test_included_outbound_ports_leave_the_rest_alone(network, family):
    place = RedirectedPod(network, "--include-outbound-ports", str(REMOTE_PORT))
    remote = place.peer.address(family)
    assert place.land(place.pod, remote, REMOTE_PORT)[0] == "proxy"
    assert place.land(place.pod, remote, APP_PORT)[0] == "remote"


def test_included_outbound_networks_leave_the_rest_alone(network, family):
    place = RedirectedPod(network, "--include-outbound-cidrs", "10.96.0.0/16,fd96::/64")
    assert place.land(place.pod, VIRTUAL[family], 80)[0] == "proxy"
    assert place.land(place.pod, place.peer.address(family), REMOTE_PORT)[0] == "remote"


def test_included_ports_and_networks_add_up(network, family):
    place = RedirectedPod(network, "--include-outbound-cidrs", "10.96.0.0/16,fd96::/64", "--include-outbound-ports",
                  str(REMOTE_PORT))
    remote = place.peer.address(family)
    assert place.land(place.pod, VIRTUAL[family], 80)[0] == "proxy"
    assert place.land(place.pod, remote, REMOTE_PORT)[0] == "proxy"
    assert place.land(place.pod, remote, APP_PORT)[0] == "remote"


def test_other_ports_and_ids_than_the_usual_ones(network, family):
    network_flags = ["--outbound-port", "4140", "--inbound-port", "4143", "--uid", "2102", "--gid", "2103"]
    place = RedirectedPod(network, *network_flags)
    listen(place.pod, "other-proxy", 2102, 4140, 4143)
    own, remote = place.pod.address(family), place.peer.address(family)
    assert place.land(place.pod, remote, REMOTE_PORT)[0] == "other-proxy"
    assert place.land(place.peer, own, APP_PORT)[0] == "other-proxy"
    assert place.land(place.pod, remote, REMOTE_PORT, uid=2102)[0] == "remote"
    assert place.land(place.pod, remote, REMOTE_PORT, uid=APP_UID, gid=2103)[0] == "remote"
    assert place.land(place.pod, own, APP_PORT, uid=2102)[0] == "other-proxy"
    # The usual ids mean nothing here.
    assert place.land(place.pod, remote, REMOTE_PORT, uid=PROXY_UID)[0] == "other-proxy"
