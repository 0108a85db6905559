"""RS256, the signature of a JWT bearer assertion: reading a public key, checking, and signing for tests.

RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2; the digest's prefix from its section 9.2, note 1) by
plain integers: the doubles need no library for it. Not constant in time, so of use in tests only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
SEQUENCE, BIT_STRING, INTEGER = 0x30, 0x03, 0x02


@dataclass(frozen=True)
class Key:
    """Modulus and public exponent."""

    n: int
    e: int

    @property
    def size(self) -> int:
        """Bytes of a signature."""
        return (self.n.bit_length() + 7) // 8


def public_key(pem: str) -> Key:
    """The key of a PEM: `PUBLIC KEY` (SubjectPublicKeyInfo) or `RSA PUBLIC KEY`. Raises ValueError."""
    parts = list(_elements(_body(pem)))
    if len(parts) != 1 or parts[0][0] != SEQUENCE:
        raise ValueError("not a public key")
    inner = list(_elements(parts[0][1]))
    if inner[-1][0] == BIT_STRING:
        # The first byte of a bit string says how many bits of its last are unused: none.
        [(_, sequence)] = list(_elements(inner[-1][1][1:]))
        inner = list(_elements(sequence))
    if len(inner) != 2 or any(tag != INTEGER for tag, _ in inner):
        raise ValueError("not an RSA public key")
    return Key(int.from_bytes(inner[0][1]), int.from_bytes(inner[1][1]))


def private_key(pem: str) -> tuple[Key, int]:
    """Key and private exponent of an `RSA PRIVATE KEY` (RFC 8017, A.1.2)."""
    [(_, sequence)] = list(_elements(_body(pem)))
    _, n, e, d = (int.from_bytes(content) for _, content in list(_elements(sequence))[:4])
    return Key(n, e), d


def verify(key: Key, signed: bytes, signature: bytes) -> bool:
    if len(signature) != key.size:
        return False
    return pow(int.from_bytes(signature), key.e, key.n).to_bytes(key.size) == _padded(signed, key.size)


def sign(pem: str, signed: bytes) -> bytes:
    """The signature of a private key."""
    key, private_exponent = private_key(pem)
    return pow(int.from_bytes(_padded(signed, key.size)), private_exponent, key.n).to_bytes(key.size)


def jwt(pem: str, claims: dict[str, Any]) -> str:
    """A signed assertion with these claims."""
    parts = [encode(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims)]
    return ".".join([*parts, encode(sign(pem, ".".join(parts).encode()))])


def read(assertion: str, key: Key | None) -> dict[str, Any]:
    """The claims of a JWT; with a key its RS256 signature must be right. Raises ValueError."""
    header, claims, signature = assertion.split(".")
    if json.loads(decode(header)).get("alg") != "RS256":
        raise ValueError("the assertion is not signed with RS256")
    if key and not verify(key, f"{header}.{claims}".encode(), decode(signature)):
        raise ValueError("the assertion's signature is wrong")
    found = json.loads(decode(claims))
    if not isinstance(found, dict):
        raise ValueError("the assertion has no claims")
    return found


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _body(pem: str) -> bytes:
    lines = [line.strip() for line in pem.strip().splitlines() if not line.startswith("-----")]
    return base64.b64decode("".join(lines))


def _padded(signed: bytes, size: int) -> bytes:
    digest = PREFIX + hashlib.sha256(signed).digest()
    return b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest


def _elements(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each DER element."""
    at = 0
    while at < len(raw):
        tag, length, at = raw[at], raw[at + 1], at + 2
        if length & 0x80:
            wide = length & 0x7F
            length, at = int.from_bytes(raw[at : at + wide]), at + wide
        yield tag, raw[at : at + length]
        at += length
