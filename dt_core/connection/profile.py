"""Which server, and how far it is trusted. A profile never holds a secret."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field, replace
from enum import Enum

from ..errors import SettingsError
from ..text import Template

DEFAULT_PORT = 7859
DEFAULT_ADDRESS = f"localhost:{DEFAULT_PORT}"
ADDRESS_VARIABLE = "DRAWTHINGS_SERVER"

_NO_SCHEME = Template(
    "no_address_scheme",
    "'{address}' is not a server address: before the host only tls:// or plain:// may stand, "
    "once for all servers.",
)
_IN_THE_ENVIRONMENT = Template("server_of_the_environment", "In {variable}: {why}")
_SCHEME_AND_MODE = Template(
    "address_scheme_and_tls_mode",
    "'{address}' and \"{mode}\" contradict each other: leave out one of them.",
)

_NO_ADDRESS = Template(
    "no_server_address",
    "'{address}' is not a server address: write host, host:port or [IPv6]:port.",
)
_NO_MODE = Template("tls_one_of", "TLS is one of: {modes}.")
_NO_PORT = Template("no_server_port", "The port of '{address}' must be 1 to 65535.")

_NO_FINGERPRINT = Template(
    "no_certificate_fingerprint",
    "A certificate fingerprint is a SHA-256: 64 hexadecimal digits, with or without colons.",
)
_NO_CA_FILE = Template(
    "no_authority_file", '"{mode}" needs the PEM file of the authority: name it.'
)

_PORT = r"(?::(?P<port>[0-9]{1,9}))?"
_BRACKETED = re.compile(r"\[(?P<host>[^\[\]\s]+)\]" + _PORT)
_PLAIN = re.compile(r"(?P<host>[^\[\]\s:/@]+)" + _PORT)
_NAME = re.compile(r"[a-z0-9_-][a-z0-9_.-]*")


class TlsMode(Enum):
    """How the connection is secured (docs/protocol.md 8)."""

    AUTOMATIC = "automatic"
    """TLS where the server speaks it, else plain text."""
    TLS = "TLS"
    """TLS with the certificate that the server showed first, or with the pinned one."""
    SYSTEM = "TLS, system certificates"
    """TLS with a certificate that the system's authorities signed."""
    PLAIN = "plain text"
    """No encryption: servers started with --no-tls."""
    AUTHORITY = "TLS, own authority"
    """TLS with a certificate that the authority in `ca_file` signed."""

    @classmethod
    def of(cls, word: object) -> TlsMode:
        """The mode of that word. Raises SettingsError with all words where it is none."""
        found = next((mode for mode in cls if mode.value == word), None)
        if found is None:
            raise SettingsError(_NO_MODE(modes=[mode.value for mode in cls]))
        return found


# From what anybody may read to what only the server of before can.
_SAFETY = (TlsMode.PLAIN, TlsMode.AUTOMATIC, TlsMode.TLS)
_SCHEMES = {"tls": TlsMode.TLS, "plain": TlsMode.PLAIN}


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """A server by address ("host", "host:port" or "[IPv6]:port"; port 7859 if left out).

    Every spelling of an address gives the same profile: capitals, a last dot, letters beyond
    ASCII (IDNA), longer forms of IPv6.

    Before the address "tls://" or "plain://" chooses `tls` where that is automatic.

    `address` may be several with commas between: equal servers that share the work. It
    then holds the first, and `others` the rest.

    `secret_name` names a stored secret (`secret_store`). `fingerprint` pins the
    server's certificate: the SHA-256 of its DER form, 64 hexadecimal digits, colons
    allowed. `ca_file` is a PEM file with certificates of the user's own authority, for
    TlsMode.AUTHORITY. `certificate_name` ("host:port") is whom an authority must vouch for, by
    default the address.

    Raises SettingsError for an address or fingerprint that cannot be, for a scheme that
    contradicts `tls`, and for an own authority without a file.
    """

    address: str = DEFAULT_ADDRESS
    tls: TlsMode = TlsMode.AUTOMATIC
    secret_name: str = ""
    fingerprint: str = ""
    ca_file: str = ""
    certificate_name: str = ""
    others: tuple[str, ...] = field(init=False, default=())
    host: str = field(init=False, compare=False, repr=False, default="")
    port: int = field(init=False, compare=False, repr=False, default=DEFAULT_PORT)

    def __post_init__(self) -> None:
        address, tls = _by_scheme(self.address, self.tls)
        object.__setattr__(self, "tls", tls)
        first, *others = [part for part in address.split(",") if part.strip()] or [""]
        host, port = _split(first)
        spelled = dict.fromkeys(_spelled(*_split(other)) for other in others)
        spelled.pop(_spelled(host, port), None)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "port", port)
        object.__setattr__(self, "address", _spelled(host, port))
        object.__setattr__(self, "others", tuple(spelled))
        fingerprint = self.fingerprint.replace(":", "").replace(" ", "").lower()
        if fingerprint and not re.fullmatch("[0-9a-f]{64}", fingerprint):
            raise SettingsError(_NO_FINGERPRINT())
        object.__setattr__(self, "fingerprint", fingerprint)
        if self.tls is TlsMode.AUTHORITY and not self.ca_file:
            raise SettingsError(_NO_CA_FILE(mode=TlsMode.AUTHORITY.value))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of every server that shares the work, this one first."""
        return self.address, *self.others

    @property
    def members(self) -> tuple[ServerProfile, ...]:
        """Each of those servers on its own, with the same trust and secret."""
        return tuple(replace(self, address=address) for address in self.addresses)

    def at(self, ip: str) -> ServerProfile:
        """The server at one of the addresses that the host name stands for."""
        name = self.certificate_name or self.address
        return replace(self, address=_spelled(ip, self.port), certificate_name=name)

    def is_as_safe_as(self, other: ServerProfile) -> bool:
        """Whether a secret that may go to a server as `other` says may also go as this one says.

        A pinned certificate or an authority of its own is another matter than that of before.
        """
        same_pin = self.fingerprint == other.fingerprint
        if self.tls is other.tls and same_pin:
            return self.tls is not TlsMode.AUTHORITY or self.ca_file == other.ca_file
        if not same_pin or other.tls not in _SAFETY:
            return False
        if self.tls not in _SAFETY:
            return self.tls is TlsMode.SYSTEM and not other.fingerprint
        return _SAFETY.index(self.tls) >= _SAFETY.index(other.tls)

    @property
    def trust_name(self) -> str:
        """The "host:port" under which its certificate is remembered.

        At one of the addresses that a name stands for it is the name's: an address beside
        the known one is no new server.
        """
        return self.certificate_name or self.address

    @property
    def host_is_address(self) -> bool:
        """Whether the host is an IP address and no name."""
        try:
            ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        return True

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this very machine, by its address."""
        return self.host == "localhost" or (
            self.host_is_address and ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        )


def _by_scheme(address: str, tls: TlsMode) -> tuple[str, TlsMode]:
    """The address without its scheme, and the mode that both say."""
    scheme, separator, rest = address.strip().partition("://")
    if not separator:
        return address, tls
    mode = _SCHEMES.get(scheme.lower())
    if mode is None or "://" in rest:
        raise SettingsError(_NO_SCHEME(address=address))
    if tls is not TlsMode.AUTOMATIC and (tls is TlsMode.PLAIN) != (mode is TlsMode.PLAIN):
        raise SettingsError(_SCHEME_AND_MODE(address=address, mode=tls.value))
    return rest, mode if tls is TlsMode.AUTOMATIC else tls


def _split(address: str) -> tuple[str, int]:
    """Host and port, the host in its one spelling."""
    text = address.strip()
    plain = _PLAIN.fullmatch(text)
    match = plain or _BRACKETED.fullmatch(text)
    host = _ip(match["host"] if match else text)  # IPv6 without brackets has no port
    if host is None and plain:
        host = _name(plain["host"])
    if host is None:
        raise SettingsError(_NO_ADDRESS(address=address))
    port = int((match and match["port"]) or DEFAULT_PORT)
    if not 1 <= port <= 65_535:
        raise SettingsError(_NO_PORT(address=address))
    return host, port


def _ip(text: str) -> str | None:
    """An IP address in its one spelling, IPv4 within IPv6 as IPv4; None if it is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def _name(text: str) -> str | None:
    """A host's name in its one spelling: small letters, IDNA, no last dot; None if it is none."""
    try:
        ascii_only = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    name = ascii_only.lower().removesuffix(".")
    return name if _NAME.fullmatch(name) else None


def _spelled(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def default_profile() -> ServerProfile:
    """The server of DRAWTHINGS_SERVER, else localhost:7859. Raises SettingsError.

    The secret is the one of DRAWTHINGS_SECRET, if set.
    """
    try:
        return ServerProfile(os.environ.get(ADDRESS_VARIABLE, "").strip() or DEFAULT_ADDRESS)
    except SettingsError as error:
        raise SettingsError(
            _IN_THE_ENVIRONMENT(variable=ADDRESS_VARIABLE, why=error.text)
        ) from None
