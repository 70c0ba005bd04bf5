"""A host name that stands for several servers, as names with several addresses do.

Several addresses may as well be those of one machine (cable, radio, containers), so each is
asked who it is: a server's identifier is its process's own (docs/protocol.md 6.1).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ..connection import addresses as reach
from ..errors import DrawThingsError, TrustError
from ..files import say_once
from .client import Client

ANSWER_S = 6.0  # to wait for all addresses together; those that are silent take no part
FRESH_S = 60.0


def spread(clients: Sequence[Client]) -> list[Client]:
    """The clients, where one whose name stands for several servers becomes one for each.

    Blocks for some seconds at most; the answer is kept for a minute.
    """
    return [member for client in clients for member in _members(client)]


def _members(client: Client) -> tuple[Client, ...]:
    if client.profile.host_is_address:
        return (client,)
    known = client.server.members
    if known is not None and time.monotonic() - known[0] <= FRESH_S:
        return tuple(client.at(ip) for ip in known[1]) or (client,)
    members = _ask(client)
    ips = () if members == (client,) else tuple(member.profile.host for member in members)
    client.server.members = time.monotonic(), ips
    return members


def _ask(client: Client) -> tuple[Client, ...]:
    try:
        addresses = reach.addresses(client.profile)
    except DrawThingsError:
        return (client,)  # whoever uses it is told
    if len(addresses) == 1:
        return (client,)
    there = [client.at(address) for address in addresses]
    told: dict[Client, int] = {}

    def ask(member: Client) -> None:
        try:
            told[member] = member.catalog().server_identifier
        except TrustError as error:  # somebody else beside the known server
            say_once(error.told())
        except DrawThingsError:  # it is not there, or not now
            return

    threads = [
        threading.Thread(target=ask, args=(member,), name="drawthings-spread", daemon=True)
        for member in there
    ]
    deadline = time.monotonic() + ANSWER_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    answers = dict(told)
    by_identity = {answers[member]: member for member in reversed(there) if member in answers}
    return tuple(reversed(by_identity.values())) if len(by_identity) > 1 else (client,)
