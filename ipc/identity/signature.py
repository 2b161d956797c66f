"""Signs the statements of devices, and verifies such signatures.

Only this module imports ``cryptography``, and only when a signature is needed: a gateway or command
line without devices starts without it. Both sides sign the same text, which is defined here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from ipc.hidden_fields import hide_fields

KEY_BYTES = 32
V3, V2 = 3, 2


@hide_fields("token")
class Statement(msgspec.Struct, frozen=True):
    """The signed statement of a device in one ``connect``; ``signed_at`` is epoch milliseconds.

    ``token`` is the secret sent with it, so that a signature cannot be used with another one;
    ``scopes`` are in the order in which they were sent.
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
        """Return the text to sign; that of version 2 lacks platform and family."""
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
    """Encode as base64url without padding, the form of keys and signatures in frames."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """Decode base64url with or without padding; return ``None`` if it is invalid."""
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


def verify(public: bytes, signature: str, statement: Statement) -> bool:
    """Verify a signature over this statement, in either version."""
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
    """Import the library now, which takes some 20 ms; a server does that in a thread."""
    import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401


def _plain(text: str) -> str:
    """Strip white space, and lower ASCII letters only, as the protocol requires."""
    return "".join(each.lower() if each.isascii() else each for each in text.strip())
