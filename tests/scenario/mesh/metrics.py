"""Prometheus text, fetched from a pod and read."""
import http.client
import re

from . import wait

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)')


def get(pod, port, path, host="127.0.0.1", timeout=5):
    """(status, body) of one GET, made from inside the pod."""
    with pod.entered():
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        connection.connect()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except http.client.HTTPException as error:
        raise OSError(f"GET {path}: {error!r}") from error
    finally:
        connection.close()


class Metrics:
    """All samples of one scrape."""

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = _SAMPLE.match(line)
            if match is None:
                raise AssertionError(f"not a line of Prometheus text: {line!r}")
            labels = dict(_LABEL.findall(match.group(2) or ""))
            self.samples.append((match.group(1), labels, float(match.group(3))))

    def find(self, name, **labels):
        """(labels, value) of each sample of that name that has these labels."""
        return [(has, value) for its_name, has, value in self.samples
                if its_name == name and all(has.get(key) == wanted for key, wanted in labels.items())]

    def total(self, name, **labels):
        """The sum over all that match; 0 when there is none."""
        return sum(value for _, value in self.find(name, **labels))


def scrape(pod, port=15020, path="/metrics"):
    status, text = get(pod, port, path)
    assert status == 200, f"{path} answered {status}"
    return Metrics(text)


def wait_total(pod, wanted, name, port=15020, timeout=wait.PATIENCE, **labels):
    """Waits until the sum is at least `wanted`, and returns it."""
    def look():
        total = scrape(pod, port).total(name, **labels)
        return total if total >= wanted else None
    return wait.until(look, f"{name}{labels} >= {wanted} in {pod.short_name}", timeout)
