"""Which addresses may be called: never one inside our own network, unless the settings say so.

Owns the check and makes it at the moment of connecting, on the very address that is connected to: a name
that answers otherwise a second time (DNS rebinding) gains nothing. Sends nothing itself.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import httpcore
import httpx
from django.conf import settings

from leads.connectors.bounded import BoundedStream, Deadline

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST = 500
# Of the addresses of a name, so many are tried.
MOST_TRIED = 4


class Forbidden(ValueError):
    """An address that is not to be called. The message is fit for a page and holds no secret."""


def checked_url(url: str, *, allowed: Sequence[str] | None = None) -> str:
    """The address if it has the form of one that may be called. Raises Forbidden.

    https, no user or password in it, an ordinary port. Plain http only to hosts of CONNECTOR_PRIVATE_HOSTS,
    which is also what lets private addresses be called.
    """
    if len(url) > LONGEST or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url) or "\\" in url:
        raise Forbidden("Use a plain address such as https://example.com/hooks.")
    try:
        parts = urlsplit(url)
        port = parts.port
        # Both have to understand it: what one reads otherwise than the other could be checked as another.
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise Forbidden("Use a plain address such as https://example.com/hooks.") from None
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host:
        raise Forbidden("Use a plain address such as https://example.com/hooks.")
    if parts.username is not None or parts.password is not None:
        raise Forbidden("The address must not hold a user or a password.")
    if parts.fragment:
        raise Forbidden("The address must not have a part behind #.")
    is_trusted = host in _private_hosts(allowed)
    if parts.scheme == "http" and not is_trusted:
        raise Forbidden("The address must begin with https.")
    if port not in {None, 80, 443} and not is_trusted and (port is None or port < 1024):
        raise Forbidden(f"Port {port} is not for calls of this kind.")
    literal = _literal(host)
    if literal is not None and not is_trusted:
        _refuse_private(literal)
    return url


def _private_hosts(allowed: Sequence[str] | None) -> Sequence[str]:
    chosen: Sequence[str] = settings.CONNECTOR_PRIVATE_HOSTS if allowed is None else allowed
    return chosen


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refuse_private(address: Address) -> None:
    """Raises Forbidden for whatever is not a public unicast address, also when it hides in an IPv6 one."""
    reached: Address = address
    if isinstance(address, ipaddress.IPv6Address):
        # Mapped and NAT64 (RFC 6052) addresses are nothing but another spelling of their IPv4.
        spelt = address.ipv4_mapped
        if address in _NAT64:
            spelt = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if spelt is None and address not in _UNICAST:
            raise Forbidden(PRIVATE)
        reached = spelt or address.sixtofour or address
    is_listed = any(reached in network for network in _REFUSED if network.version == reached.version)
    if is_listed or not reached.is_global or reached.is_multicast or reached.is_reserved:
        raise Forbidden(PRIVATE)


PRIVATE = "The address leads into a private network."
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# RFC 4291: all of IPv6 that is routed. Site-local and IPv4-compatible addresses are not.
_UNICAST = ipaddress.IPv6Network("2000::/3")
# What the registries of special addresses have (RFC 6890, 9637) and the standard library has not in full.
_REFUSED = (
    ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("2001::/32"), ipaddress.ip_network("3fff::/20"),
)  # fmt: skip


def _looked_up(host: str, port: int, timeout: float | None) -> Sequence[str]:
    """The addresses of a name, within so many seconds: the system's resolver takes as long as it likes and
    can't be stopped, so that it is left to a thread of its own. Raises httpcore.ConnectError and
    httpcore.ConnectTimeout."""
    told: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            told.put(error)
        else:
            told.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    try:
        answer = told.get(timeout=timeout)
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"{host} was looked up in vain") from None
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(f"{host} is not known") from answer
    return answer


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to what a name stands for only where that may be called, and for no longer than the call."""

    def __init__(self, allowed: Sequence[str] | None = None, deadline: Deadline | None = None) -> None:
        self._inner = httpcore.SyncBackend()
        self._allowed = allowed
        self._deadline = deadline or Deadline()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        options = list(socket_options) if socket_options is not None else None
        problem: Exception = httpcore.ConnectError(f"{host} is not known")
        for address in self._addresses(host, port, self._deadline.left(timeout)):
            left = self._deadline.left(timeout)
            try:
                stream = self._inner.connect_tcp(address, port, left, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return BoundedStream(stream, self._deadline)
        raise problem

    def _addresses(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        """What is connected to, checked: the addresses of a name and not the name, which could stand for
        something else a moment later. Raises Forbidden, httpcore.ConnectError and ConnectTimeout."""
        if host in _private_hosts(self._allowed):
            return [host]
        addresses = _looked_up(host, port, timeout)
        # One private among several is reason enough: which of them is used would be chance.
        for address in addresses:
            _refuse_private(ipaddress.ip_address(address.partition("%")[0]))
        return addresses[:MOST_TRIED]

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)
