"""What may be called, asked through the real client: nothing that leads into our own network."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from leads.connectors.addresses import Forbidden, checked_url
from leads.connectors.client import Http, Unreachable

PUBLIC = "93.184.216.34"
Resolve = Callable[..., list[tuple]]

PRIVATE = [
    # IPv4: this host, private, shared (CGNAT), loopback, link-local with the metadata address, protocol
    # assignments, documentation, relay, benchmark, multicast, reserved, broadcast.
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.0.9", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    # IPv6: unspecified, loopback, unique local with a metadata address, link-local, site-local, multicast,
    # discard, documentation, Teredo, local-use NAT64, SRv6.
    "::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "100::1",
    "2001:db8::1", "3fff::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b:1::a00:1", "5f00::1",
    # An IPv4 within: mapped, compatible (a public one too: nobody routes them), translated, 6to4, NAT64.
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8",
    "::ffff:0:127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:1::1", "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
]  # fmt: skip
# Ways of writing 127.0.0.1 and 169.254.169.254 that the system's resolver reads.
SPELLINGS = [
    "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1",
    "0x7F.0x0.0x0.0x1",    "2852039166", "0xa9fea9fe", "169.16689662",
]  # fmt: skip


def literal(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


def call(url: str, **options) -> int:
    with Http(timeout=2.0) as http:
        return http.call("GET", url, **options).status


@pytest.fixture
def names(monkeypatch) -> dict[str, list[list[str]]]:
    """What a name stands for: each time it is looked up the next answer, the last one for ever."""
    answers: dict[str, list[list[str]]] = {}

    def lookup(host, port, *args, **options):
        if host not in answers:
            raise socket.gaierror("unknown")
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in found
        ]

    monkeypatch.setattr("leads.connectors.addresses.socket.getaddrinfo", lookup)
    return answers


@pytest.fixture
def connected(monkeypatch) -> list[tuple[str, int]]:
    """Where a connection is made to; none succeeds."""
    found: list[tuple[str, int]] = []

    def connect(address, timeout=None, source_address=None, **_):
        found.append(address)
        raise OSError("no network here")

    monkeypatch.setattr("httpcore._backends.sync.socket.create_connection", connect)
    return found


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_called_by_itself_or_by_a_name(address, names, connected):
    with pytest.raises(Forbidden):
        call(literal(address))
    names["hooks.example.com"] = [[address]]
    with pytest.raises(Forbidden, match="private network"):
        call("https://hooks.example.com/")
    # One private among several is enough, wherever it stands.
    for found in ([PUBLIC, address], [address, PUBLIC]):
        names["hooks.example.com"] = [found]
        with pytest.raises(Forbidden, match="private network"):
            call("https://hooks.example.com/")
    assert connected == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_address_written_otherwise_is_read_as_what_it_is(spelling, connected):
    with pytest.raises((Forbidden, Unreachable)) as refusal:
        call(f"https://{spelling}/")
    assert connected == []
    words = ("private network", "ConnectError", "plain address")
    assert any(word in str(refusal.value) for word in words)


@pytest.mark.parametrize("name", ["localhost", "localhost.", "LOCALHOST", "ip6-localhost"])
def test_this_machines_own_names_are_not_called(name, connected):
    with pytest.raises((Forbidden, Unreachable)):
        call(f"https://{name}/")
    assert connected == []


def test_public_addresses_are_called(names, connected):
    same = ("2002:5db8:d822::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822")
    public = [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", *same]
    for address in public:
        connected.clear()
        names["hooks.example.com"] = [[address]]
        with pytest.raises(Unreachable):
            call("https://hooks.example.com/")
        assert connected == [(address, 443)]


def test_a_name_that_answers_otherwise_a_second_time_gains_nothing(names, connected):
    """DNS rebinding: the connection goes to the very address that was looked at, and to no name."""
    names["rebind.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(Unreachable):
        call("https://rebind.example.com/")
    assert connected == [(PUBLIC, 443)]
    # The next connection is looked at again.
    with pytest.raises(Forbidden):
        call("https://rebind.example.com/")
    assert connected == [(PUBLIC, 443)]


def test_of_several_addresses_the_next_is_tried_where_one_is_silent(names, connected):
    several = [f"93.184.216.{number}" for number in range(1, 9)]
    names["hooks.example.com"] = [[*several, several[0]]]
    with pytest.raises(Unreachable):
        call("https://hooks.example.com/")
    assert connected == [(one, 443) for one in several[:4]]


def test_a_name_that_nobody_knows_is_no_answer(names, connected):
    with pytest.raises(Unreachable, match="No answer: ConnectError"):
        call("https://unknown.example.com/")


def test_a_name_that_is_looked_up_for_ever_is_waited_for_as_long_as_for_a_connection(monkeypatch, connected):
    done = threading.Event()
    monkeypatch.setattr("leads.connectors.addresses.socket.getaddrinfo", lambda *_, **__: [done.wait(30)][:0])
    began = time.monotonic()
    with Http(timeout=0.2) as http, pytest.raises(Unreachable, match="No answer within"):
        http.call("GET", "https://slow.example.com/")
    done.set()
    assert 0.2 <= time.monotonic() - began < 10
    assert connected == []


def test_names_of_other_scripts_are_looked_up_as_they_stand_in_the_dns(names, connected):
    names["xn--bcher-kva.example"] = [["10.0.0.1"]]
    with pytest.raises(Forbidden, match="private network"):
        call("https://bücher.example/")
    # Full-width digits and the ideographic full stop are another spelling of 127.0.0.1.
    for host in ("１２７.０.０.１", "127。0。0。1", "ⓛocalhost"):
        with pytest.raises((Forbidden, Unreachable)):
            call(f"https://{host}/")
    assert connected == []


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.com", "//hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd",
        "gopher://hooks.example.com/", "unix:///run/docker.sock", "https://", "https:///path", "javascript:1",
        "http://hooks.example.com/", "https://user@hooks.example.com/", "https://user:secret@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/", "https://:@hooks.example.com/", "https://hooks.example.com/#a",
        "https://hooks.example.com:22/", "https://hooks.example.com:0/", "https://hooks.example.com:25/",
        "https://hooks.example.com:99999/", "https://hooks.example.com:x/", "https://hooks.example.com\\@evil/",
        "https://hooks.example.com/\r\nHost: evil", "https://hooks.example.com/a b", "https://a .example/",
        "https://hooks.example.com/\x00", "https://hooks.example.com/\x7f", "https://[::1/", "https://[v1.a]/",
        f"https://hooks.example.com/{'a' * 500}",
    ],
)  # fmt: skip
def test_addresses_of_another_form_are_refused_in_words(url, connected):
    with pytest.raises(Forbidden) as refusal:
        checked_url(url)
    assert "secret" not in str(refusal.value)
    with pytest.raises(Forbidden), Http(url) as http:
        http.call("POST", "")
    assert connected == []


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example.com", "https://hooks.example.com:443/a?b=c&d=%20", "https://hooks.example.com:8443/",
     "HTTPS://Hooks.Example.Com./x", "https://93.184.216.34/", "https://hooks.example.com:80/"],
)  # fmt: skip
def test_ordinary_addresses_are_taken(url):
    assert checked_url(url) == url


def test_what_the_settings_trust_may_be_called_plainly_and_nothing_beside_it(settings, connected):
    settings.CONNECTOR_PRIVATE_HOSTS = ["crm.internal", "127.0.0.1"]
    for url in ("http://crm.internal/", "http://127.0.0.1:81/", "https://CRM.internal/"):
        assert checked_url(url) == url
    for url in (
        "http://other.internal/",
        "http://127.0.0.2/",
        "http://crm.internal.example.com/",
        "http://localhost/",
    ):
        with pytest.raises(Forbidden):
            checked_url(url)
    with pytest.raises(Unreachable):
        call("http://crm.internal/")
    assert connected == [("crm.internal", 80)]
    with pytest.raises(Forbidden):
        checked_url("http://127.0.0.1/", allowed=[])
