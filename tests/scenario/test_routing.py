"""Routes of the Gateway API at Services: which backend a request reaches, and how it is changed on its way.

The cases are those of the mesh conformance tests of the Gateway API, on real sidecars.
"""
import collections
import itertools
import time
import types

import pytest

from mesh import apps, clients, manifests, wait
from mesh.redirected import listen
from mesh.network import APP_UID

SHOP, GUEST = "shop", "guest"
PORTS = {"http": (80, "http", "http"), "http-alt": (8080, "http", "http"), "tcp": (9090, "tcp", "tcp"),
         "grpc": (7070, "grpc")}


def echo_program(pod, version):
    apps.grpc_echo(pod, 9000, version)
    listen(pod, version, APP_UID, 9091)
    return apps.version_service(pod, 8080, version)


@pytest.fixture(scope="module")
def shop(shared_mesh):
    mesh = shared_mesh
    listening = {"http": 8080, "grpc": 9000, "tcp": 9091}
    services = {"echo": mesh.service("echo", PORTS, SHOP)}
    for version in ("v1", "v2"):
        services[version] = mesh.service(f"echo-{version}", PORTS, SHOP, {"app": "echo", "version": version})
        mesh.member(f"echo-{version}", app="echo", version=version, program=echo_program, ports=listening,
                    namespace=SHOP, service_account="echo")
    client = mesh.member("client", namespace=SHOP)
    guest = mesh.member("guest", namespace=GUEST)
    mesh.wait_ready()
    for member, service in itertools.product((client, guest), services.values()):
        member.wait_known(service)
    return types.SimpleNamespace(mesh=mesh, client=client, guest=guest, numbers=itertools.count(1), **services)


@pytest.fixture
def route(shop):
    """Puts a route in force, and takes all away after the test.

    A rule of the helper's own, for a path that nobody else asks for, tells when the proxies have it.
    """
    written = []

    def put(rules, to="echo", port=80, namespace=SHOP, seen_by=None, file_name=None):
        number = next(shop.numbers)
        mark = f"/in-force-{number}"
        own = [{"matches": [{"path": {"type": "Exact", "value": mark}}], "backendRefs": [backend("v1", namespace)]}]
        made = manifests.http_route(f"route-{number}", (to, port), [*rules, *own], namespace)
        reference = made["spec"]["parentRefs"][0]
        reference["namespace"] = SHOP
        if port is None:
            del reference["port"]
        file_name = file_name or f"route-{number}"
        shop.mesh.folder.write(file_name, made)
        written.append(file_name)
        service = shop.echo if to == "echo" else shop.v1 if to == "echo-v1" else shop.v2
        for member in seen_by or [shop.client]:
            question = f"/explain?url={service.url(mark, port=port or 80)}"
            wait.until(lambda: call(member, service, port=port or 80).status and
                       f'"route":"{namespace}/route-{number}' in member.admin(question)[1],
                       f"{member.name} has the route")
        return file_name
    yield put
    for name in set(written):
        shop.mesh.folder.remove(name)
    wait.until(lambda: all('"route":"default"' in member.admin(f"/explain?url={service.url(port=port)}")[1]
                           for member in (shop.client, shop.guest) for service in (shop.echo, shop.v1, shop.v2)
                           for port in (80, 8080)
                           if '"route":' in member.admin(f"/explain?url={service.url(port=port)}")[1]),
               "the implicit routes again")


def backend(version, namespace=SHOP, **more):
    return {"name": f"echo-{version}", "port": 8080, **({"namespace": SHOP} if namespace != SHOP else {}), **more}


def call(member, service, path="/", *words, headers=(), port=80):
    return member.curl(service.url(path, port=port), *words, headers=headers)


def fields(response):
    """The request's header fields as the backend saw them, the mesh's own left out."""
    seen = collections.defaultdict(list)
    for name, value in response.json()["headers"]:
        seen[name.lower()].append(value)
    return seen


def exact(path):
    return {"path": {"type": "Exact", "value": path}}


def prefix(path):
    return {"path": {"type": "PathPrefix", "value": path}}


def shares(shop, number=300, service=None):
    """How many of so many requests each version had, by one program of curl that keeps its connections."""
    urls = (service or shop.echo).url("/share?[1-%d]" % number)
    done = shop.client.pod.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}:%header{x-version}\n", urls],
                               uid=APP_UID, timeout=60)
    return collections.Counter(done.stdout.split())


def served(shop, version):
    return shop.mesh.members[f"echo-{version}"].metrics().total("remora_requests_total", direction="inbound")


def test_without_a_route_a_service_reaches_its_endpoints(shop):
    shop.client.pod.run(["h2load", "--h1", "-n", 200, "-c", 10, shop.echo.url("/delay/5")], uid=APP_UID)
    assert all(served(shop, version) > 0 for version in ("v1", "v2"))
    assert call(shop.client, shop.v1).version == "v1"


def test_exact_paths_split(shop, route):
    route([{"matches": [exact("/v1")], "backendRefs": [backend("v1")]},
           {"matches": [exact("/v2")], "backendRefs": [backend("v2")]}])
    for _ in range(3):
        assert call(shop.client, shop.echo, "/v1").version == "v1"
        assert call(shop.client, shop.echo, "/v2").version == "v2"


def test_a_request_that_no_rule_matches_gets_404(shop, route):
    route([{"matches": [exact("/v1")], "backendRefs": [backend("v1")]}])
    response = call(shop.client, shop.echo, "/v1/more")
    assert (response.status, response.header("x-remora-reason")) == (404, "no_route")


def test_matching_by_prefix_and_header(shop, route):
    route([{"matches": [prefix("/"), {"headers": [{"name": "version", "value": "one"}]}], "backendRefs": [backend("v1")]},
           {"matches": [prefix("/v2"), {"headers": [{"name": "version", "value": "two"}]}],
            "backendRefs": [backend("v2")]}])
    for path, headers, wanted in [("/", (), "v1"), ("/example", (), "v1"), ("/", [("version", "one")], "v1"),
                                  ("/v2", (), "v2"), ("/v2/", (), "v2"), ("/v2/example", (), "v2"),
                                  ("/", [("Version", "two")], "v2"), ("/v2example", (), "v1"),
                                  ("/foo/v2/example", (), "v1"), ("/v2?x=1", (), "v2")]:
        assert call(shop.client, shop.echo, path, headers=headers).version == wanted, (path, headers)


def test_matching_by_query(shop, route):
    def query(*pairs):
        return {"queryParams": [{"name": name, "value": value} for name, value in pairs]}
    route([{"matches": [query(("animal", "whale"))], "backendRefs": [backend("v1")]},
           {"matches": [query(("animal", "dolphin"))], "backendRefs": [backend("v2")]},
           {"matches": [query(("animal", "dolphin"), ("color", "blue"))], "backendRefs": [backend("v1")]},
           {"matches": [{**exact("/path"), **query(("animal", "shark"))}], "backendRefs": [backend("v2")]}])
    for path, wanted in [("/?animal=whale", "v1"), ("/?animal=dolphin", "v2"), ("/?animal=dolphin&color=blue", "v1"),
                         ("/?color=blue&animal=dolphin", "v1"), ("/path?animal=shark", "v2")]:
        assert call(shop.client, shop.echo, path).version == wanted, path
    for path in ("/?animal=hydra", "/", "/?animal=whaleshark", "/?animal=shark", "/?animal=dog&animal=whale"):
        assert call(shop.client, shop.echo, path).status == 404, path


def test_matching_by_method(shop, route):
    route([{"matches": [{"method": "POST"}], "backendRefs": [backend("v1")]},
           {"matches": [{"method": "GET"}], "backendRefs": [backend("v2")]}])
    assert call(shop.client, shop.echo, "/").version == "v2"
    assert call(shop.client, shop.echo, "/", "-d", "x").version == "v1"
    assert call(shop.client, shop.echo, "/", "-X", "DELETE").status == 404


def test_the_most_specific_match_wins_whatever_the_order(shop, route):
    header = {"headers": [{"name": "color", "value": "blue"}]}
    route([{"matches": [prefix("/")], "backendRefs": [backend("v1")]},
           {"matches": [prefix("/a")], "backendRefs": [backend("v2")]},
           {"matches": [{**prefix("/a"), "method": "GET"}], "backendRefs": [backend("v1")]},
           {"matches": [{**prefix("/a"), **header}], "backendRefs": [backend("v2")]},
           {"matches": [exact("/a/b")], "backendRefs": [backend("v2")]}])
    for path, words, headers, wanted in [("/", (), (), "v1"), ("/a", ("-d", "x"), (), "v2"), ("/a", (), (), "v1"),
                                         ("/a", (), [("color", "blue")], "v1"),
                                         ("/a", ("-d", "x"), [("color", "blue")], "v2"), ("/a/b", (), (), "v2")]:
        assert call(shop.client, shop.echo, path, *words, headers=headers).version == wanted, (path, words, headers)


def test_weights_are_kept(shop, route):
    route([{"backendRefs": [backend("v1", weight=70), backend("v2", weight=30)]}])
    seen = shares(shop)
    assert seen["200:v1"] + seen["200:v2"] == 300, seen
    assert 0.6 < seen["200:v1"] / 300 < 0.8, seen


def test_weight_zero_gets_nothing(shop, route):
    route([{"backendRefs": [backend("v1"), backend("v2", weight=0)]}])
    assert shares(shop, 100) == {"200:v1": 100}


def test_another_weight_moves_traffic_within_a_second(shop, route):
    name = route([{"backendRefs": [backend("v1", weight=1), backend("v2", weight=0)]}])
    assert shares(shop, 50) == {"200:v1": 50}
    made = manifests.http_route("moved", ("echo", 80), [{"backendRefs": [backend("v2", weight=1)]}], SHOP)
    shop.mesh.folder.write(name, made)
    written = time.monotonic()
    wait.until(lambda: call(shop.client, shop.echo).version == "v2", "traffic has moved", timeout=3)
    assert time.monotonic() - written < 1.0
    assert shares(shop, 50) == {"200:v2": 50}


def test_an_invalid_backend_answers_500_for_its_share(shop, route):
    route([{"matches": [exact("/all")], "backendRefs": [{"name": "nobody", "port": 8080}]},
           {"backendRefs": [backend("v1", weight=1), {"name": "nobody", "port": 8080, "weight": 1}]}])
    response = call(shop.client, shop.echo, "/all")
    assert (response.status, response.header("x-remora-reason")) == (500, "invalid_backend")
    seen = shares(shop, 200)
    assert seen["200:v1"] + seen["500:"] == 200 and 60 <= seen["500:"] <= 140, seen


MODIFIER = {"set": [{"name": "X-Header-Set", "value": "set-it"}], "add": [{"name": "X-Header-Add", "value": "add-it"}],
            "remove": ["X-Header-Remove"]}
SENT = [("x-header-set", "old"), ("X-HEADER-add", "first"), ("x-Header-Remove", "gone"), ("x-kept", "kept")]


@pytest.mark.parametrize("where", ["rule", "backend"])
def test_request_headers_are_set_added_and_removed(shop, route, where):
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": MODIFIER}]
    route([{"filters": filters, "backendRefs": [backend("v1")]} if where == "rule" else
           {"backendRefs": [backend("v1", filters=filters)]}])
    seen = fields(call(shop.client, shop.echo, headers=SENT))
    assert seen["x-header-set"] == ["set-it"]
    assert ",".join(seen["x-header-add"]).replace(" ", "") == "first,add-it"
    assert "x-header-remove" not in seen and seen["x-kept"] == ["kept"]
    seen = fields(call(shop.client, shop.echo))
    assert (seen["x-header-set"], seen["x-header-add"]) == (["set-it"], ["add-it"])


def test_response_headers_are_set_added_and_removed(shop, route):
    modifier = {"set": [{"name": "server", "value": "hidden"}], "add": [{"name": "x-added", "value": "yes"}],
                "remove": ["x-version"]}
    route([{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
            "backendRefs": [backend("v1")]}])
    response = call(shop.client, shop.echo)
    assert [value for name, value in response.headers if name.lower() == "server"] == ["hidden"]
    assert (response.header("x-added"), response.version) == ("yes", None)


@pytest.mark.parametrize("redirect, status, location", [
    ({"hostname": "example.org"}, 302, "http://example.org/some/path?q=1"),
    ({"hostname": "example.org", "statusCode": 301}, 301, "http://example.org/some/path?q=1"),
    ({"hostname": "example.org", "statusCode": 303}, 303, "http://example.org/some/path?q=1"),
    ({"hostname": "example.org", "statusCode": 307}, 307, "http://example.org/some/path?q=1"),
    ({"hostname": "example.org", "statusCode": 308}, 308, "http://example.org/some/path?q=1"),
    ({"port": 8083}, 302, "http://echo.shop:8083/some/path?q=1"),
    ({"scheme": "https"}, 302, "https://echo.shop/some/path?q=1"),
    ({"scheme": "https", "port": 8443}, 302, "https://echo.shop:8443/some/path?q=1"),
    ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/whole"}}, 302, "http://echo.shop/whole?q=1"),
    ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/other"}}, 302, "http://echo.shop/other/path?q=1"),
    ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}, 302, "http://echo.shop/path?q=1"),
], ids=lambda value: str(value) if isinstance(value, int) else None)
def test_redirects(shop, route, redirect, status, location):
    route([{"matches": [prefix("/some")], "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}])
    response = call(shop.client, shop.echo, "/some/path?q=1", headers=[("Host", "echo.shop")])
    assert (response.status, response.header("location")) == (status, location)


@pytest.mark.parametrize("rewrite, path, host", [
    ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/one"}}, "/one/two?q=1", "echo.shop"),
    ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}, "/two?q=1", "echo.shop"),
    ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/full"}}, "/full?q=1", "echo.shop"),
    ({"hostname": "other.example"}, "/prefix/two?q=1", "other.example"),
])
def test_rewrites(shop, route, rewrite, path, host):
    modifier = {"add": [{"name": "x-with", "value": "rewrite"}]}
    route([{"matches": [prefix("/prefix")],
            "filters": [{"type": "URLRewrite", "urlRewrite": rewrite},
                        {"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}],
            "backendRefs": [backend("v1")]}])
    response = call(shop.client, shop.echo, "/prefix/two?q=1", headers=[("Host", "echo.shop")])
    assert response.json()["path"] == path
    assert fields(response)["host"] == [host] and fields(response)["x-with"] == ["rewrite"]


def test_the_requests_time_is_limited(shop, route):
    route([{"timeouts": {"request": "300ms"}, "backendRefs": [backend("v1")]}])
    response = call(shop.client, shop.echo, "/delay/3000")
    assert (response.status, response.header("x-remora-reason")) == (504, "request_timeout")
    assert 0.25 < response.seconds < 1.5
    assert call(shop.client, shop.echo, "/delay/50").status == 200


def test_a_parents_port_limits_the_route_to_it(shop, route):
    modifier = {"set": [{"name": "x-routed", "value": "yes"}]}
    rule = {"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
            "backendRefs": [backend("v1")]}
    route([rule], port=80)
    assert call(shop.client, shop.echo, port=80).header("x-routed") == "yes"
    assert call(shop.client, shop.echo, port=8080).header("x-routed") is None


def test_without_a_parents_port_the_route_holds_for_all(shop, route):
    modifier = {"set": [{"name": "x-routed", "value": "yes"}]}
    route([{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
            "backendRefs": [backend("v1")]}], port=None)
    assert call(shop.client, shop.echo, port=80).header("x-routed") == "yes"
    wait.until(lambda: call(shop.client, shop.echo, port=8080).header("x-routed") == "yes", "the other port too")


def test_the_service_is_chosen_by_address_not_by_host(shop, route):
    def marked(version):
        modifier = {"set": [{"name": "x-route-of", "value": version}]}
        return [{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
                 "backendRefs": [backend(version)]}]
    route(marked("v1"), to="echo-v1")
    route(marked("v2"), to="echo-v2")
    for service, host, wanted in [(shop.v1, "echo-v2", "v1"), (shop.v2, "echo-v1.shop.svc.cluster.local", "v2"),
                                  (shop.v1, "anything.example:99", "v1")]:
        response = call(shop.client, service, headers=[("Host", host)])
        assert (response.header("x-route-of"), response.version) == (wanted, wanted)


def test_a_pod_address_is_not_the_service(shop, route):
    modifier = {"set": [{"name": "x-routed", "value": "yes"}]}
    route([{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
            "backendRefs": [backend("v1")]}])
    pod = shop.mesh.members["echo-v2"].pod
    response = shop.client.curl(f"http://{pod.ip4}:8080/")
    assert (response.version, response.header("x-routed")) == ("v2", None)


def test_a_consumer_route_holds_for_its_own_namespace_only(shop, route):
    modifier = {"set": [{"name": "x-consumer", "value": "yes"}]}
    route([{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
            "backendRefs": [backend("v1", GUEST)]}], namespace=GUEST, seen_by=[shop.guest])
    response = call(shop.guest, shop.echo)
    assert (response.version, response.header("x-consumer")) == ("v1", "yes")
    assert call(shop.client, shop.echo).header("x-consumer") is None


def test_a_consumer_route_hides_the_producers(shop, route):
    route([{"backendRefs": [backend("v2")]}], seen_by=[shop.client, shop.guest])
    assert call(shop.guest, shop.echo).version == "v2"
    route([{"matches": [exact("/mine")], "backendRefs": [backend("v1", GUEST)]}], namespace=GUEST, seen_by=[shop.guest])
    assert call(shop.guest, shop.echo, "/mine").version == "v1"
    assert call(shop.guest, shop.echo, "/").status == 404
    assert call(shop.client, shop.echo, "/").version == "v2"


def test_a_named_rule_works_and_is_named(shop, route):
    route([{"name": "the-rule", "matches": [exact("/named")], "backendRefs": [backend("v1")]}])
    assert call(shop.client, shop.echo, "/named").version == "v1"
    assert shop.client.metrics().total("remora_requests_total", direction="outbound") > 0
    assert "/the-rule" in shop.client.admin(f"/explain?url={shop.echo.url('/named')}")[1]


def test_two_filters_of_one_rule_add_up(shop, route):
    route([{"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": MODIFIER},
                        {"type": "ResponseHeaderModifier",
                         "responseHeaderModifier": {"set": [{"name": "x-down", "value": "1"}]}}],
            "backendRefs": [backend("v1")]}])
    response = call(shop.client, shop.echo, headers=SENT)
    assert response.header("x-down") == "1" and "x-down" not in fields(response)


# ---- gRPC and TCP ----

@pytest.fixture
def other_route(shop):
    """Writes one manifest under the name it gets, and removes it."""
    written = []

    def put(kind, rules, port, version="v1"):
        made = manifests.http_route(f"other-{next(shop.numbers)}", ("echo", port), rules, SHOP, kind)
        if kind == "TCPRoute":
            made["apiVersion"] = "gateway.networking.k8s.io/v1alpha2"
        shop.mesh.folder.write("other", made)
        written.append("other")
    yield put
    for name in set(written):
        shop.mesh.folder.remove(name)


def grpc(shop, **options):
    return clients.grpc_call(shop.client.pod, f"{shop.echo.ip4}:7070", "hello", **options)


def grpc_backend(version, **more):
    return {"name": f"echo-{version}", "port": 7070, **more}


def test_grpc_weights_and_methods(shop, other_route):
    assert grpc(shop).code == 0
    other_route("GRPCRoute", [
        {"matches": [{"method": {"service": "test.Echo", "method": "Unary"}}], "backendRefs": [grpc_backend("v2")]},
        {"matches": [{"method": {"service": "test.Echo"}}],
         "backendRefs": [grpc_backend("v1"), grpc_backend("v2", weight=0)]}], 7070)
    wait.until(lambda: all(grpc(shop, method="ClientStream").initial["x-version"] == "v1" for _ in range(4)), "in force")
    assert {grpc(shop).initial["x-version"] for _ in range(4)} == {"v2"}


def test_grpc_headers_match_and_change(shop, other_route):
    modifier = {"set": [{"name": "x-echo", "value": "set-on-the-way"}]}
    other_route("GRPCRoute", [
        {"matches": [{"headers": [{"name": "version", "value": "two"}]}],
         "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}],
         "backendRefs": [grpc_backend("v2")]},
        {"matches": [{"method": {"service": "test.Echo", "method": "ClientStream"}}],
         "backendRefs": [grpc_backend("v1")]}], 7070)
    reply = wait.until(lambda: (answer := grpc(shop, metadata=[("version", "two")])).trailing.get("x-echo") and answer,
                       "in force")
    assert (reply.trailing["x-echo"], reply.initial["x-version"]) == ("set-on-the-way", "v2")
    assert grpc(shop).code == 12, "what no rule matches is unimplemented"


def tcp_version(shop):
    return shop.client.pod.dial(shop.echo.ip4, 9090).reply


def test_tcp_weights(shop, other_route):
    other_route("TCPRoute", [{"backendRefs": [{"name": "echo-v1", "port": 9090, "weight": 1},
                                              {"name": "echo-v2", "port": 9090, "weight": 0}]}], 9090)
    wait.until(lambda: all('"v1"' in tcp_version(shop) for _ in range(6)), "all to v1")
    other_route("TCPRoute", [{"backendRefs": [{"name": "echo-v1", "port": 9090, "weight": 1},
                                              {"name": "echo-v2", "port": 9090, "weight": 3}]}], 9090)
    wait.until(lambda: '"v2"' in tcp_version(shop), "some to v2")
    seen = collections.Counter('"v2"' in tcp_version(shop) for _ in range(60))
    assert 30 <= seen[True] <= 57, seen
