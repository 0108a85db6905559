"""Which addresses may be called: never one inside our own network, unless the settings say so.

Owns the check and makes it at the moment of connecting, on the very address that is connected to: a name
that answers otherwise a second time (DNS rebinding) gains nothing. Sends nothing itself.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import httpcore
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST = 500


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
    except ValueError:
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
    hidden: Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        # NAT64 (RFC 6052) and the deprecated IPv4-compatible form carry their IPv4 in the last 32 bits.
        if hidden is None and (address in _NAT64 or address in _COMPATIBLE):
            hidden = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    reached = hidden or address
    if not reached.is_global or reached.is_multicast or reached.is_reserved:
        raise Forbidden("The address leads into a private network.")


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to what a name stands for only where that may be called; see the room's words."""

    def __init__(self, allowed: Sequence[str] | None = None) -> None:
        self._inner = httpcore.SyncBackend()
        self._allowed = allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if host in _private_hosts(self._allowed):
            return self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} is not known") from error
        addresses = [str(entry[4][0]) for entry in found]
        # One private among several is reason enough: which of them is used would be chance.
        for address in addresses:
            _refuse_private(ipaddress.ip_address(address.partition("%")[0]))
        return self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)
