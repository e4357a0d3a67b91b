"""Waiting for a condition, with a deadline and with words for when it does not come."""
import time

PATIENCE = 15.0

# What a condition may raise to say "not yet".
NOT_YET = (OSError, AssertionError, LookupError, ValueError)


class WaitedInVain(AssertionError):
    pass


def until(condition, what, timeout=PATIENCE, every=0.02):
    """Calls condition() until it gives something true, and returns that.

    An exception of NOT_YET is taken as false; the last one is named when time is over. `every` grows to
    0.25 s, so that long waits are cheap.
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = f"it last gave {value!r}"
        except NOT_YET as error:
            last = f"it last failed with {type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            raise WaitedInVain(f"{what}: not within {timeout:g} s; {last}")
        time.sleep(every)
        every = min(every * 1.5, 0.25)


def always(condition, what, seconds, every=0.05):
    """Checks that condition() stays true for so long: for "nothing happens", which only time can show."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"{what}: no longer so"
        time.sleep(every)
