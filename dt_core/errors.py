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

Every message is one sentence or two: what happened, to what, and what to do. The first
is the error's `text`, in neutral words; the second its `remedy`, which each face words in
its own way: nodes, command and Python. A message never holds a secret, and names that a
server gave cannot break its one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from .text import Filling, Template, Text, as_text, in_turn


class Remedy(Enum):
    """What the user can do about an error, in words that fit everywhere.

    A face that knows better words has a table `{Remedy: Template}` of them. Holes are those
    of the error's own text, or of the values beside it.
    """

    INSTALL_FPZIP = Template(
        "remedy_install_fpzip",
        "Install fpzip (rms-fpzip on Python 3.14), or switch compression of answers off there "
        "(gRPCServerCLI: --no-response-compression).",
    )
    CHECK_ADDRESS = Template("remedy_check_address", "Check the address.")
    CHECK_PORT = Template(
        "remedy_check_port", "Check the port, and in the app that the protocol is gRPC."
    )
    START_SERVER = Template(
        "remedy_start_server",
        "Start the server (in the app: Settings, API Server, gRPC), and check address, port and "
        "firewall.",
    )
    SEE_WHO_ANSWERS = Template("remedy_see_who_answers", "See what answers at that address.")
    WAKE_SERVER = Template("remedy_wake_server", "Wake it, and generate again.")
    SEE_THAT_IT_RUNS = Template(
        "remedy_see_that_it_runs", "See that the server runs, and generate again."
    )
    SEE_ITS_PROXY = Template(
        "remedy_see_its_proxy", "See that it runs, also behind a proxy, and try again."
    )
    UPDATE_SERVER = Template("remedy_update_server", "Update the server.")
    TRY_AGAIN = Template("remedy_try_again", "Try again.")
    RESTART_SERVER = Template(
        "remedy_restart_server", "Try again, and restart the server if that does not help."
    )
    NAME_SERVER = Template(
        "remedy_name_server",
        "Give the server's address, or see that UDP port 5353 is free and the network is up.",
    )
    GENERATE_AGAIN = Template("remedy_generate_again", "Generate again.")
    GENERATE_OR_UPDATE = Template(
        "remedy_generate_or_update",
        "Generate again; if that does not help, update the server.",
    )
    READ_LOG = Template("remedy_read_log", "Look at the server's log, and generate again.")
    READ_LOG_FIRST = Template("remedy_read_log_first", "The server's log knows more.")
    LET_IT_DOWNLOAD = Template(
        "remedy_let_it_download",
        "See that the server reaches the internet and has room on its disk, or copy the file "
        "there.",
    )
    LIST_MODELS = Template(
        "remedy_list_models",
        "Check the file name, or switch model browsing on there (gRPCServerCLI: --model-browser).",
    )
    OTHER_SETTINGS = Template(
        "remedy_other_settings",
        "Try another sampler, size or model, and look at the server's log.",
    )
    STOP_COMPRESSION = Template(
        "remedy_stop_compression",
        "Switch compression of answers off there (gRPCServerCLI: --no-response-compression).",
    )
    PLAIN_NAME = Template("remedy_plain_name", "Use a plain name without folders.")
    IMPORT_FIRST = Template(
        "remedy_import_first",
        "Import it in the Draw Things app, which makes a .ckpt file of it, and upload that one.",
    )
    FOLLOW_LINK = Template("remedy_follow_link", "Upload the file that it leads to.")
    CHOOSE_FILE = Template("remedy_choose_file", "Choose a model file.")
    MAKE_ROOM_THERE = Template(
        "remedy_make_room_there",
        "Check that the server's models folder can be written and that its disk has room.",
    )
    SECRET_AND_ROOM = Template(
        "remedy_secret_and_room",
        "Check the shared secret and the room on the server's disk; its log knows more.",
    )
    COPY_FILE = Template("remedy_copy_file", "Copy the file into the server's models folder.")
    SMALLER_PICTURES = Template("remedy_smaller_pictures", "Use smaller or fewer pictures.")
    CHOOSE_PLAIN_TEXT = Template(
        "remedy_plain_text",
        "Choose plain text for this server, or start the server with TLS.",
    )
    CHOOSE_ENCRYPTION = Template("remedy_choose_encryption", "Choose TLS for this server.")
    SAY_WHY_PLAIN_TEXT = Template(
        "remedy_say_why_plain_text",
        "If you switched that off yourself, choose plain text for this server; if the server is "
        "just starting, try again; otherwise somebody may be listening.",
    )
    ACCEPT_CERTIFICATE = Template(
        "remedy_accept_certificate",
        "If you changed the server or its certificate yourself, accept the new one; otherwise "
        "somebody may be listening.",
    )
    PIN_CERTIFICATE = Template(
        "remedy_pin_certificate",
        "If you changed the server or its certificate yourself, pin the new one; otherwise "
        "somebody may be listening.",
    )
    CHECK_PATH = Template("remedy_check_path", "Check the path of the file.")
    OVERWRITE_OR_RENAME = Template(
        "remedy_overwrite_or_rename", "Choose another name, or overwrite it."
    )
    GIVE_AREA = Template("remedy_give_area", "Give it one to repaint, to fill or to keep.")
    GIVE_SECRET = Template("remedy_give_secret", "Give the shared secret of this server.")
    MEND_FILE = Template("remedy_mend_file", "Mend or remove {file}.")
    MAKE_WRITABLE = Template("remedy_make_writable", "Make {file} and its folder writable.")
    CLOSE_OTHERS = Template("remedy_close_others", "Try again, or end the other program.")
    SET_VARIABLE = Template("remedy_set_variable", "Set the environment variable {variable}.")
    STORE_SECRET = Template(
        "remedy_store_secret", "Set the environment variable {variable}, or add it to {file}."
    )
    STORE_SERVER_FIRST = Template(
        "remedy_store_server_first", "Store this server first, with the secret that it is to have."
    )
    CHOOSE_STORED_SERVER = Template("remedy_choose_stored", "Choose the stored server instead.")
    NEW_CERTIFICATE = Template("remedy_new_certificate", "Give the server a new certificate.")
    OTHER_KEY = Template(
        "remedy_other_key", "Give the server a certificate with a key of ECDSA P-256 or RSA."
    )
    CHECK_CERTIFICATE = Template(
        "remedy_check_certificate", "Check the certificate, its authority and the address."
    )
    CHECK_CLOCK = Template("remedy_check_clock", "Check the clocks of both machines.")
    CHOOSE_TLS = Template(
        "remedy_choose_tls",
        'Choose "TLS", which trusts the certificate that the server showed first.',
    )
    INSTALL_CRYPTOGRAPHY = Template(
        "remedy_install_cryptography",
        "Install it (pip install cryptography), give a certificate of your own, or do without TLS.",
    )


class DrawThingsError(Exception):
    """Base of all errors that dt_core raises on purpose.

    `text` says what happened, `remedy` what to do about it, with `values` beside those of
    the text. `str()` is both in English.
    """

    def __init__(self, text: Text, *, remedy: Remedy | None = None, **values: Filling) -> None:
        self.text = as_text(text)  # words alone, where a copy or another process makes it anew
        self.remedy = remedy
        self.values = {**self.text.values, **values}
        super().__init__(str(self.told()))

    def told(self, words: Mapping[Remedy, Template] | None = None) -> Text:
        """What happened and what to do, the latter in a face's own words where it has some."""
        if self.remedy is None:
            return self.text
        template = (words or {}).get(self.remedy, self.remedy.value)
        return in_turn(self.text, template(**{hole: self.values[hole] for hole in template.holes}))


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

    def __init__(
        self,
        text: Text,
        available: tuple[str, ...] = (),
        *,
        remedy: Remedy | None = None,
        **values: Filling,
    ) -> None:
        super().__init__(text, remedy=remedy, **values)
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

    def __init__(
        self,
        text: Text,
        expected: str,
        presented: str,
        *,
        remedy: Remedy | None = None,
        **values: Filling,
    ) -> None:
        super().__init__(text, remedy=remedy, **values)
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
