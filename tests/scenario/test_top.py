"""What remoractl top shows is what proxies carry."""
import json
import types

import pytest

from mesh import apps, flags, wait
from mesh.network import APP_UID


@pytest.fixture
def pods(mesh):
    service = mesh.service("api", {"http": (80, "http", "http")})
    for version in ("v1", "v2"):
        mesh.member(f"api-{version}", app="api", version=version, program=apps.version_service)
    client = mesh.member("client")
    mesh.wait_ready()
    client.wait_known(service)
    return types.SimpleNamespace(mesh=mesh, service=service, client=client)


def top(mesh):
    argv = [flags.binary("remoractl"), "top", "-o", "json", "--state-dir", mesh.state_dir]
    return {row["service"]: row for row in json.loads(mesh.control_pod.run(argv, uid=APP_UID).stdout)["services"]}


def row_with(pods, condition):
    """Calls the service until its row is as wanted: rates are those of the last seconds."""
    def look():
        pods.client.curl(pods.service.url())
        row = top(pods.mesh).get("default/api")
        return row if row is not None and condition(row) else None
    return wait.until(look, "the service's row in remoractl top")


def test_traffic_is_shown_by_service_version_caller_and_identity(pods):
    # Callers and both versions report each at a time of their own: all of them are awaited.
    def all_reported(row):
        busy = [part for part in row["versions"] if part["requestsPerSecond"] > 0 and part["p99Ms"] > 0]
        return (row["seenBy"] == "callers" and row["connections"] > 0 and row["sources"] and row["identities"]
                and {part["name"] for part in busy} == {"v1", "v2"})

    row = row_with(pods, all_reported)
    assert row["requestsPerSecond"] > 0
    assert 0 < row["p50Ms"] <= row["p99Ms"]
    assert [part["name"] for part in row["sources"]] == ["default/client"]
    assert row["identities"] == [f"spiffe://{pods.mesh.trust_domain}/ns/default/sa/api"]


def test_reports_come_again_after_the_control_plane_was_away(pods):
    row_with(pods, lambda row: row["requestsPerSecond"] > 0)
    pods.mesh.kill_control()
    pods.client.curl(pods.service.url())
    pods.mesh.start()
    row_with(pods, lambda row: row["requestsPerSecond"] > 0 and row["seenBy"] == "callers")


def test_what_is_quiet_leaves_the_table(pods):
    row_with(pods, lambda row: row["requestsPerSecond"] > 0)
    wait.until(lambda: top(pods.mesh).get("default/api", {"requestsPerSecond": 0})["requestsPerSecond"] == 0,
               "nothing is carried, nothing is shown", timeout=40)
