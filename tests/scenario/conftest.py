"""Fixtures of the scenario tests. See mesh/__init__.py for what they stand on."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mesh import mesh as meshes, network as networks  # noqa: E402  (needs the path above)

# The exit status that ctest knows as "skipped".
SKIPPED = 77


def why_not_here():
    """What this machine lacks for tests of this kind, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with networks.Network():
            return None
    except (OSError, AssertionError, networks.subprocess.CalledProcessError) as error:
        return f"network namespaces do not work here: {error}"


def pytest_sessionstart(session):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    networks.sweep()
    reason = why_not_here()
    if reason is not None:
        pytest.exit(f"SKIP: {reason}", returncode=SKIPPED)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """A run in which something was skipped is not a passed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the programs of its network said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            network = value if isinstance(value, networks.Network) else getattr(value, "network", None)
            if isinstance(network, networks.Network):
                report.sections += list(network.processes.logs())
                break


@pytest.fixture
def network():
    with networks.Network() as made:
        yield made


@pytest.fixture
def mesh(network):
    """A control plane that runs and no members yet."""
    made = meshes.Mesh(network)
    made.start()
    return made


@pytest.fixture(scope="module")
def shared_mesh():
    """One mesh for all tests of a file, for those that leave it as they found it."""
    with networks.Network() as made_network:
        made = meshes.Mesh(made_network)
        made.start()
        yield made
