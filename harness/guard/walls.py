"""The walls around a process that a run starts: what it may print, and its network."""

from harness.guard.inert import shield_streams
from harness.guard.network import shut_network


def enter_worker(*, offline: bool) -> None:
    """Raises the walls of the parent in a new process, before it imports what a unit needs."""
    shield_streams()
    if offline:
        shut_network()
