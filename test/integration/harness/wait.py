"""wait: conditions with a deadline. The only place where a test sleeps."""

import time

DEADLINE_SECONDS = 60.0
INTERVAL_SECONDS = 0.01


def until(condition, what, seconds=DEADLINE_SECONDS):
    """Polls condition() until it is true and returns its value; fails, saying `what`, after
    `seconds`. `what` may be a function, so that it can say how things stand at the end."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"waited {seconds:g} s in vain: {text}")
        time.sleep(INTERVAL_SECONDS)
