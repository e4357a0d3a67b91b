"""Whatever lies in the folder of manifests: it is told, the rest stays in force, and traffic goes on."""
import json
import os
import re
import types

import pytest

from mesh import apps, control_client, flags, manifests, metrics, wait
from mesh.load import Load
from mesh.network import APP_UID, PROXY_UID

RELAY_PORT = 15112


@pytest.fixture(scope="module")
def shop(shared_mesh):
    """A caller, a service in two versions, a route that says which one answers, and a load that never ends."""
    mesh = shared_mesh
    api = mesh.service("api")
    for version in ("v1", "v2"):
        mesh.service(f"api-{version}", selector={"app": "api", "version": version})
        mesh.member(f"api-{version}", app="api", version=version, program=apps.version_service)
    client = mesh.member("client")
    made = Shop(mesh, api, client)
    made.send_to("v1")
    mesh.wait_ready()
    client.wait_known(api)
    made.wait_answers("v1")
    with Load(client.pod, api.ip4, 80, clients=2, pause=0.01) as load:
        made.load = load
        yield made


class Shop:
    def __init__(self, mesh, api, client):
        self.mesh = mesh
        self.api = api
        self.client = client
        self.load = None
        self.version = None

    def send_to(self, version):
        self.version = version
        self.mesh.folder.write("route", manifests.http_route(
            "api", ("api", 80), [{"backendRefs": [manifests.backend(f"api-{version}", 80)]}]))

    def wait_answers(self, version):
        wait.until(lambda: self.client.curl(self.api.url()).version == version, f"answers of {version}")

    def path(self, name):
        return os.path.join(self.mesh.folder.path, name)

    def put(self, name, content):
        """Bytes, as they are."""
        with open(self.path(name), "wb") as file:
            file.write(content)

    def ctl(self, *words, check=True):
        argv = [flags.binary("remoractl"), *words, "--state-dir", self.mesh.state_dir]
        return self.mesh.control_pod.run(argv, uid=APP_UID, check=check)

    def status(self):
        return json.loads(self.ctl("status", "-o", "json").stdout)

    def problems(self):
        """As a person would read them, with file names alone in place of paths."""
        return [line.replace(self.mesh.folder.path + "/", "") for line in self.status()["problems"]]

    def log(self):
        return self.mesh.control.log().replace(self.mesh.folder.path + "/", "")

    def is_well(self):
        return not self.problems() and self.ctl("check", check=False).returncode == 0

    def assert_in_force(self):
        """Everything else is, edits made now too; nothing has failed, and nobody was restarted."""
        other = "v2" if self.version == "v1" else "v1"
        self.send_to(other)
        self.wait_answers(other)
        self.load.wait_more(5)
        self.load.assert_clean()
        assert self.mesh.control.is_running()

    def assert_told(self, *lines):
        def look():
            told = self.problems()
            assert sorted(told) == sorted(lines), told
            return True
        wait.until(look, f"the problems {lines}")
        for line in lines:
            assert f'error problem="{line}"' in self.log().replace('\\"', '"'), "the log"
        checked = self.ctl("check", check=False)
        assert checked.returncode == 1 and re.search(rf"bad +manifests .* {len(lines)} problems in files", checked.stdout)
        assert metrics.scrape(self.mesh.control_pod, flags.CONTROL_METRICS_PORT).total(
            "remora_control_manifest_problems") == len(lines)


@pytest.fixture(autouse=True)
def mended(shop):
    """After each test the folder holds what it held before, and all is well again."""
    before = set(os.listdir(shop.mesh.folder.path))
    yield
    for name in set(os.listdir(shop.mesh.folder.path)) - before:
        path = shop.path(name)
        os.rmdir(path) if os.path.isdir(path) else os.remove(path)
    wait.until(shop.is_well, "all is well again")


BROKEN_YAML = b"""\
apiVersion: v1
kind: Service
metadata: {name: x}
spec:
  ports: [{port: 80
  selector: {app: x}
"""
UNKNOWN_FIELD = b"""\
apiVersion: remora.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: p}
spec:
  targetRefs: [{kind: Service, name: api}]
  timeouts:
    requst: 1s
"""
WRONG_TYPES = b"""\
apiVersion: remora.dev/v1alpha1
kind: Workload
metadata: {name: w, namespace: other}
spec:
  addresses: 10.7.0.9
  sidecar: "yes"
"""
UNKNOWN_KIND = b"apiVersion: remora.dev/v1alpha1\nkind: TrafficPolicies\nmetadata: {name: w}\n"
OUT_OF_RANGE = b"""\
apiVersion: v1
kind: Service
metadata: {name: x}
spec:
  ports:
  - {name: http, port: 80000}
"""
TWICE = b"""\
apiVersion: v1
kind: Service
metadata: {name: x}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: x}
spec: {ports: [{port: 81}]}
"""
ALIASES = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b", ".join([b"*%c" % (97 + i)] * 9)) for i in range(8))

FILES = {
    "broken YAML": (BROKEN_YAML, ["bad.yaml:6: not YAML: missing comma in flow mapping"]),
    "an unknown field": (UNKNOWN_FIELD, ["bad.yaml:7: TrafficPolicy default/p: spec.timeouts.requst: unknown field"]),
    "wrong types": (WRONG_TYPES, [
        "bad.yaml:5: Workload other/w: spec.addresses: must be a list, not a string",
        "bad.yaml:6: Workload other/w: spec.sidecar: must be true or false, not a string"]),
    "an unknown kind": (UNKNOWN_KIND, ["bad.yaml:2: kind: unknown kind TrafficPolicies of remora.dev/v1alpha1"]),
    "a value out of range": (OUT_OF_RANGE, ["bad.yaml:6: Service default/x: spec.ports[0].port: must be 1 to 65535"]),
    "an object twice": (TWICE, ["bad.yaml:6: Service default/x: is there twice: first in line 1"]),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 16,
                  ["bad.yaml:1: not text: byte 0x7f; a manifest is UTF-8"]),
    "50 MB": (b"# " + b"x" * (50 << 20), ["bad.yaml: larger than 8 MiB"]),
    "50 MB of zeros": (bytes(50 << 20), ["bad.yaml: larger than 8 MiB"]),
    "brackets without end": (b"[" * 100000, ["bad.yaml:1: nested deeper than 32"]),
    "aliases of aliases": (ALIASES, ["bad.yaml:1: too many values, or aliases that stand for too many"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_told_and_the_rest_is_in_force(shop, name):
    content, lines = FILES[name]
    shop.put("bad.yaml", content)
    shop.assert_told(*lines)
    shop.assert_in_force()


def test_a_bad_object_leaves_its_good_neighbours_in_force(shop):
    good = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "neighbour"}, "spec": {"ports": [{"port": 80}]}}
    shop.mesh.folder.write("mixed", good, OUT_OF_RANGE.decode())
    shop.assert_told("mixed.yaml:14: Service default/x: spec.ports[0].port: must be 1 to 65535")
    assert [row["file"] for row in shop.status()["objects"] if row["name"] == "neighbour"] == [shop.path("mixed.yaml")]
    shop.assert_in_force()


EDITS = {
    "broken": (lambda text: text.replace(b"rules:", b"rules: ["), r"route\.yaml:\d+: not YAML: .*"),
    "mistyped": (lambda text: text.replace(b"rules:", b"ruls:"),
                 r"route\.yaml:\d+: HTTPRoute default/api: spec\.ruls: unknown field"),
    "cut in the middle": (lambda text: text[:text.index(b"weight:") + 4],
                          r"route\.yaml:\d+: (not YAML: .*|HTTPRoute default/api: .*)"),
    "emptied": (lambda text: b"", r"route\.yaml: is empty; its objects stay in force until it is deleted or has others"),
    "junk": (lambda text: b"\x80\x81" + text, r"route\.yaml:1: not text: .*"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_bad_edit_leaves_what_was_there_in_force(shop, name):
    """The route of the traffic itself: without it, answers would come from both versions."""
    edit, line = EDITS[name]
    with open(shop.path("route.yaml"), "rb") as file:
        good = file.read()
    try:
        shop.put("route.yaml", edit(good))
        wait.until(lambda: [told for told in shop.problems() if re.fullmatch(line, told)], f"the problem {line}")
        before = shop.load.versions.copy()
        shop.load.wait_more(20)
        grown = shop.load.versions - before
        assert set(grown) == {shop.version}, grown
        shop.load.assert_clean()
    finally:
        shop.put("route.yaml", good)
    shop.assert_in_force()


def test_a_file_that_cannot_be_read_is_told(shop):
    shop.put("secret.yaml", b"apiVersion: v1\n")
    os.chmod(shop.path("secret.yaml"), 0)
    shop.assert_told("secret.yaml: cannot be read: Permission denied")
    shop.assert_in_force()


def test_an_object_whose_file_becomes_unreadable_stays_in_force(shop):
    path = shop.path("route.yaml")
    try:
        os.chmod(path, 0)
        wait.until(lambda: "route.yaml: cannot be read: Permission denied" in shop.problems(), "the problem")
        before = shop.load.versions.copy()
        shop.load.wait_more(20)
        assert set(shop.load.versions - before) == {shop.version}
    finally:
        os.chmod(path, 0o644)
    wait.until(shop.is_well, "it is read again")
    shop.assert_in_force()


def test_what_is_no_file_is_told_and_holds_nothing_up(shop):
    os.mkfifo(shop.path("pipe.yaml"))
    os.symlink("nowhere", shop.path("link.yaml"))
    os.symlink(".", shop.path("circle"))
    os.mkdir(shop.path("folder.yaml"))
    shop.assert_told("pipe.yaml: is no regular file")
    shop.assert_in_force()
    os.remove(shop.path("circle"))


def test_files_that_vanish_while_they_are_read_are_nothing(shop):
    """Large enough that reading takes a while; each is gone, or half as long, before or while that happens."""
    content = yaml_of_services(3000)
    for number in range(60):
        name = f"fleeting-{number % 3}.yaml"
        shop.put(name, content)
        if number % 2:
            os.truncate(shop.path(name), len(content) // 2)
        os.remove(shop.path(name))
    wait.until(lambda: not any(row["name"].startswith("fleeting") for row in shop.status()["objects"]), "they are gone")
    shop.assert_in_force()


def yaml_of_services(count):
    return "---\n".join(f"apiVersion: v1\nkind: Service\nmetadata: {{name: fleeting-{i}}}\nspec: {{ports: [{{port: 80}}]}}\n"
                        for i in range(count)).encode()


def test_a_file_that_is_written_slowly_is_in_force_in_the_end(shop):
    """Not by renaming, as it should be: pieces become visible, and none of them is an end."""
    route = manifests.http_route("slow", ("api", 80), [
        {"matches": [{"path": {"type": "Exact", "value": "/slowly"}}],
         "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302, "hostname": "slow.example"}}]}])
    text = json.dumps(route, indent=1).encode()
    seen = 0
    with open(shop.path("slow.json"), "wb", buffering=0) as file:
        for at in range(0, len(text), len(text) // 4 + 1):
            file.write(text[at:at + len(text) // 4 + 1])
            if at + len(text) // 4 + 1 < len(text):
                wait.until(lambda: any(line.startswith("slow.json") for line in shop.problems()), "the piece was read")
                assert shop.client.curl(shop.api.url("/slowly")).status == 200
                seen += 1
    assert seen == 3
    wait.until(lambda: shop.client.curl(shop.api.url("/slowly")).status == 302, "it is in force")
    assert not shop.problems()
    shop.assert_in_force()


# ---- Objects that are well formed and do not fit ------------------------------------------------


def test_the_same_object_in_two_files_is_told_and_the_first_file_holds(shop):
    shop.put("zz-route.yaml", json.dumps(manifests.http_route(
        "api", ("api", 80), [{"backendRefs": [manifests.backend("nobody", 80)]}])).encode())
    shop.assert_told("zz-route.yaml:1: HTTPRoute default/api: is also in route.yaml:1, which is in force")
    shop.assert_in_force()


def row_of(shop, kind, name):
    """The object's line in `remoractl status`, as columns: kind, namespace, name, state, where, message."""
    for line in shop.ctl("status").stdout.splitlines():
        columns = re.split(r"  +", line.replace(shop.mesh.folder.path + "/", ""))
        if columns[0] == kind and columns[2] == name:
            return columns
    raise LookupError(f"{kind} {name} is not shown")


# name, object, its state, what is said of which field
MISFITS = [
    (manifests.policy("TrafficPolicy", "stray", {"timeouts": {"request": "1s"}}, [("Service", "apu")]),
     "TargetNotFound", "spec.targetRefs[0]: Service apu is not there"),
    (manifests.policy("TransportPolicy", "stray", {"mode": "Permissive"}, [("Workload", "nobody")]),
     "TargetNotFound", "spec.targetRefs[0]: Workload nobody is not there"),
    (manifests.http_route("stray", ("apu", 80), [{"backendRefs": [manifests.backend("api-v1", 80)]}]),
     "NoMatchingParent", "spec.parentRefs[0]: there is no Service default/apu"),
    (manifests.http_route("stray", ("api", 81), [{"backendRefs": [manifests.backend("api-v1", 80)]}]),
     "NoMatchingParent", "spec.parentRefs[0]: the Service has no such port: default/api"),
    (manifests.http_route("stray", ("api-v1", 80), [{"backendRefs": [manifests.backend("nobody", 80)]}]),
     "BackendNotFound", "spec.rules[0].backendRefs[0]: there is no Service default/nobody"),
]


@pytest.mark.parametrize("misfit", MISFITS, ids=lambda misfit: f"{misfit[0]['kind']} {misfit[2]}")
def test_what_speaks_of_something_that_is_not_there_is_told(shop, misfit):
    made, state, words = misfit
    shop.mesh.folder.write("stray", made)

    def look():
        assert row_of(shop, made["kind"], "stray")[3:] == [state, "stray.yaml:1", words]
        return True
    wait.until(look, "it is shown")
    wanted = f'not in force problem="stray.yaml:1: {made["kind"]} default/stray: {words}" reason={state}'
    wait.until(lambda: wanted in shop.log(), "the log")
    checked = shop.ctl("check", check=False)
    assert checked.returncode == 1 and re.search("bad +manifests .* 1 not in force, 0 problems in files", checked.stdout)
    shop.assert_in_force()


def test_of_two_policies_for_one_target_the_older_holds_and_the_other_is_told(shop):
    def put(name, created, timeout):
        made = manifests.policy("TrafficPolicy", name, {"timeouts": {"request": timeout}}, [("Service", "api")])
        made["metadata"]["creationTimestamp"] = created
        shop.mesh.folder.write(name, made)

    def states():
        return [row_of(shop, "TrafficPolicy", name)[3] for name in ("a-young", "b-old")]

    def timeout_is(wanted):
        explained = json.loads(shop.client.admin(f"/explain?url={shop.api.url()}")[1])
        return explained["request_timeout_ms"] == wanted
    put("a-young", "2025-01-01T00:00:00Z", "5s")
    wait.until(lambda: timeout_is(5000), "the first holds")
    put("b-old", "2021-01-01T00:00:00Z", "6s")
    wait.until(lambda: timeout_is(6000), "the older one holds")
    assert states() == ["Conflicted", "ok"]
    words = "spec.targetRefs[0]: TrafficPolicy/default/b-old, which is older, holds for this target"
    assert row_of(shop, "TrafficPolicy", "a-young")[5] == words
    assert f'problem="a-young.yaml:1: TrafficPolicy default/a-young: {words}" reason=Conflicted' in shop.log()
    shop.assert_in_force()


# ---- What the proxy itself does not accept ------------------------------------------------------


@pytest.fixture
def relayed(shop):
    """A caller whose control plane is one that may say things that no proxy understands."""
    mesh = shop.mesh
    spoil_file = os.path.join(mesh.network.folder, "spoil")
    relay = mesh.control_pod.start(
        ["/usr/bin/python3", "-B", os.path.join(flags.APPS, "xds_relay.py"), RELAY_PORT, mesh.control_address,
         mesh.roots_file, mesh.issue_token("default", "relay"), mesh.issue_token("default", "relayed"), spoil_file],
        "relay", uid=APP_UID)
    relay.wait_log("^listening$")
    direct, mesh.control_address = mesh.control_address, f"{mesh.control_pod.ip4}:{RELAY_PORT}"
    member = mesh.member("relayed", proxy_words=["--control-identity", f"spiffe://{mesh.trust_domain}/ns/default/sa/relay"])
    mesh.control_address = direct
    member.wait_ready()
    member.wait_known(shop.api)

    def spoil(short, name):
        with open(spoil_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{control_client.type_url(short)} {name}")
        os.replace(spoil_file + ".new", spoil_file)
    yield types.SimpleNamespace(member=member, spoil=spoil, heal=lambda: os.remove(spoil_file))
    mesh.remove(member)
    relay.stop()


def connect_timeout(member, service):
    explained = json.loads(member.admin(f"/explain?url={service.url()}")[1])
    return explained["clusters"][0]["connect_timeout_ms"]


def test_a_resource_that_the_proxy_refuses_is_shown_and_the_old_one_stays(shop, relayed):
    member, cluster = relayed.member, "outbound|80||api-v1.default.svc.cluster.local"
    shop.send_to("v1")

    def limit(connect):
        shop.mesh.folder.write("limit", manifests.policy("TrafficPolicy", "limit", {"timeouts": {"connect": connect}},
                                                         [("Service", "api-v1")]))

    def of_proxy():
        return next(proxy for proxy in json.loads(shop.ctl("proxies", "-o", "json").stdout)["proxies"]
                    if proxy["id"] == "relayed.default")
    limit("2s")
    wait.until(lambda: member.curl(shop.api.url()).version == "v1" and connect_timeout(member, shop.api) == 2000,
               "the first timeout is in force")
    relayed.spoil("CDS", cluster)
    with Load(member.pod, shop.api.ip4, 80, clients=2, pause=0.01) as load:
        limit("3s")
        refused = wait.until(lambda: [kind for kind in of_proxy()["types"] if "refused" in kind], "the refusal is shown")
        assert [kind["type"] for kind in refused] == ["CDS"] and cluster in refused[0]["refused"]
        assert not of_proxy()["synced"] and of_proxy()["nacks"] == 1
        assert re.search(r"relayed\.default .* refused +1 .*" + re.escape(cluster), shop.ctl("proxies").stdout)
        assert shop.ctl("check", check=False).returncode == 1
        assert "1 refused their configuration" in shop.ctl("check", check=False).stdout
        member.wait_metric(1, "remora_xds_responses_total", result="rejected")
        assert re.search(r"warn .*" + re.escape(cluster), member.proxy.log()), "the proxy's log"
        # What was there is still there, and other resources are still followed.
        assert connect_timeout(member, shop.api) == 2000
        shop.send_to("v2")
        wait.until(lambda: member.curl(shop.api.url()).version == "v2", "the route is followed")
        shop.send_to("v1")
        wait.until(lambda: member.curl(shop.api.url()).version == "v1", "and followed back")
        assert connect_timeout(member, shop.api) == 2000
        # Others take what this one refuses.
        wait.until(lambda: connect_timeout(shop.client, shop.api) == 3000, "the other proxy has the new one")
        relayed.heal()
        limit("4s")
        wait.until(lambda: connect_timeout(member, shop.api) == 4000, "what comes next is taken")
        wait.until(lambda: of_proxy()["synced"], "in sync again")
        assert shop.ctl("check", check=False).returncode == 0
        load.wait_more(10)
    load.assert_clean(at_least=20)
