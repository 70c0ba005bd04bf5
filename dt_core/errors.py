"""What can go wrong, named for what the user can do about it.

DrawThingsError
├── TensorError            a tensor is damaged, hostile or absurd
├── SettingsError          a setting or a configuration has a value that cannot be
├── RequestError           the request would crash the server or cannot work: change it
│   ├── ModelNotFound      the server does not have that model: choose another
│   └── FileOnServer       an upload would overwrite a file: ask for that, or rename it
└── ServerError            something between here and the server
    ├── ServerUnreachable  start the server, check address and port
    │   └── NoAnswer       it is there but silent: it may be busy
    ├── TrustError         TLS: the certificate is not the one that is trusted
    │   ├── TlsMismatch    one side speaks TLS and the other does not
    │   └── CertificateChanged  it is not the one of before: accept it or beware
    ├── SecretRejected     the shared secret is missing or wrong
    ├── ProtocolError      the server sent what the protocol does not allow
    ├── GenerationFailed   the server reported a failure
    ├── UploadFailed       the server did not take a file
    ├── NoImages           the server finished without a picture
    └── Cancelled          the caller cancelled

Every message is one sentence or two: what happened, to what, and what to do. A
message never holds a secret, and names that a server gave cannot break its one line.
"""

from __future__ import annotations

from .text import visible


class DrawThingsError(Exception):
    """Base of all errors that dt_core raises on purpose."""

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message))


class TensorError(DrawThingsError):
    """A serialized tensor is damaged, hostile or absurd (docs/protocol.md 3)."""


class SettingsError(DrawThingsError):
    """A generation setting has a value that the configuration cannot carry."""


class RequestError(DrawThingsError):
    """The request would crash the server or cannot give what it asks for."""


class ModelNotFound(RequestError):
    """The server does not have the model.

    `available` holds the file names that it does have; empty where it does not tell.
    """

    def __init__(self, message: str, available: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.available = available


class FileOnServer(RequestError):
    """The server has a file of that name, and nobody asked to overwrite it."""


class ServerError(DrawThingsError):
    """Something failed between here and the server."""


class ServerUnreachable(ServerError):
    """No Draw Things server answers at the address."""


class NoAnswer(ServerUnreachable):
    """The server took too long to answer; it may be busy with another picture."""


class TrustError(ServerError):
    """The server's certificate is not one that the profile trusts."""


class TlsMismatch(TrustError):
    """One side speaks TLS and the other does not."""


class CertificateChanged(TrustError):
    """The server presents another certificate than the pinned or remembered one.

    `expected` and `presented` are their SHA-256, 64 hexadecimal digits.
    """

    def __init__(self, message: str, expected: str, presented: str) -> None:
        super().__init__(message)
        self.expected = expected
        self.presented = presented


class SecretRejected(ServerError):
    """The server wants a shared secret, and ours is missing or wrong."""


class ProtocolError(ServerError):
    """The server sent something that the protocol does not allow."""


class GenerationFailed(ServerError):
    """The server reported a failure while it generated."""


class UploadFailed(ServerError):
    """The server did not take a file; it keeps no part of it (docs/protocol.md 6.3)."""


class NoImages(ServerError):
    """The server finished without sending a picture (docs/protocol.md 5.6)."""


class Cancelled(ServerError):
    """The caller cancelled the call."""
