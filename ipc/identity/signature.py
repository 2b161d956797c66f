"""Signs what a device claims, and checks such signatures.

The only module that imports ``cryptography``, and only when a signature is needed: a
gateway or a command line without devices starts without it. Both sides use the same text,
so it exists once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

KEY_BYTES = 32
V3, V2 = 3, 2


class Statement(msgspec.Struct, frozen=True):
    """What a device claims in one ``connect``; ``signed_at`` is epoch milliseconds.

    ``token`` is the secret that goes with it, so that a signature cannot be used with
    another one; ``scopes`` stand in the order in which they were sent.
    """

    device: str
    client: str
    mode: str
    role: str
    scopes: tuple[str, ...]
    signed_at: int
    token: str
    nonce: str
    platform: str = ""
    family: str = ""

    def text(self, version: int = V3) -> str:
        """Return the text to sign; that of version 2 has no platform and family."""
        parts = [
            f"v{version}",
            self.device,
            self.client,
            self.mode,
            self.role,
            ",".join(self.scopes),
            str(self.signed_at),
            self.token,
            self.nonce,
        ]
        if version >= V3:
            parts += [_plain(self.platform), _plain(self.family)]
        return "|".join(parts)


def device_id(public_key: bytes) -> str:
    """Return the id that belongs to a raw public key."""
    return hashlib.sha256(public_key).hexdigest()


def encode(raw: bytes) -> str:
    """Return base64url without padding, as keys and signatures stand in frames."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """Return the bytes of base64url with or without padding; ``None`` when it is none."""
    try:
        bare = text.rstrip("=").encode("ascii")
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (UnicodeError, binascii.Error, ValueError):
        return None


def new_key() -> bytes:
    """Return a new private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """Return the public key of a private one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, text: str) -> str:
    """Return the signature over ``text``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return encode(Ed25519PrivateKey.from_private_bytes(private).sign(text.encode()))


def signs(public: bytes, signature: str, statement: Statement) -> bool:
    """Return whether ``signature`` is the key's over this statement, in either version."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    raw = decode(signature)
    if raw is None:
        return False
    key = Ed25519PublicKey.from_public_bytes(public)
    for version in (V3, V2):
        try:
            key.verify(raw, statement.text(version).encode(errors="surrogatepass"))
        except InvalidSignature:
            continue
        return True
    return False


def load() -> None:
    """Import the library now: it takes some 20 ms, so a server does it in a thread."""
    import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401


def _plain(text: str) -> str:
    """Trim, and lower ASCII letters only, as the protocol has it."""
    return "".join(each.lower() if each.isascii() else each for each in text.strip())
