"""Which commands a server ran, as it counts them itself."""

from __future__ import annotations

import redis


def written(client: redis.Redis) -> set[str]:
    """The commands of ACL category @write that ran since CONFIG RESETSTAT; a read-only page leaves none. Scripts' commands count too."""
    writing = {_word(command) for command in client.execute_command("ACL", "CAT", "write")}
    return {command for command in ran(client) if command.partition("|")[0] in writing or command in writing}


def ran(client: redis.Redis) -> dict[str, int]:
    """How often each command ran since CONFIG RESETSTAT."""
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_").lower(): int(numbers["calls"]) for name, numbers in stats.items()}


def _word(raw: bytes | str) -> str:
    return (raw.decode() if isinstance(raw, bytes) else raw).lower()
