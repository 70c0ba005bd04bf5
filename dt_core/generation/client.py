"""`Client` and `AsyncClient`: what one can ask of a Draw Things server.

Both are thin faces of the same core: calls run on the one connection that their owner has to
the server (`registry`), generations in a thread of their own (`job`).
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import preflight
from ..connection import channel, failures, keepalive
from ..connection import late_grpc as grpc
from ..connection.known_servers import KnownServers
from ..connection.profile import ServerProfile, default_profile
from ..errors import (
    Cancelled,
    DrawThingsError,
    GenerationFailed,
    ModelNotFound,
    NoAnswer,
    ProtocolError,
    Remedy,
    SecretRejected,
    ServerUnreachable,
)
from ..models import file_names
from ..models.catalog import Catalog
from ..pictures.stack import Stack
from ..request.message import build
from ..request.resolved import GenerationRequest, Resolved, resolve
from ..text import Template, Text
from ..wire import protobuf
from .allowance import Allowance
from .event_queue import AsyncEvents
from .events import Event, Started
from .job import Job
from .registry import Servers
from .upload import Upload

_NO_MODEL = Template(
    "no_such_model", "The server at {address} has no model '{file}'. It has: {models}."
)
_NO_MODEL_AT_ALL = Template(
    "no_models_there", "The server at {address} has no model '{file}', and no other one."
)
_OTHER_COUNT = Template(
    "answer_for_other_files",
    "The server at {address} answered for {existences} files instead of {wanted}.",
)
_NO_MODEL_HERE = Template(
    "no_such_model_unlisted",
    "The server at {address} has no model '{file}'. It does not list what it has.",
)


_WRONG_SECRET = Template(
    "secret_wrong", "The server at {address} wants a shared secret, and ours is wrong."
)
_NO_SECRET = Template(
    "secret_missing", "The server at {address} wants a shared secret, and none is given."
)

ECHO_TIMEOUT_S = 10.0
FILES_TIMEOUT_S = 30.0
MODELS_SHOWN = 100  # in an error, the most similar names first
CATALOG_AGE_S = 60.0  # a catalogue older than this is asked for again before a generation
RETRY_AFTER_S = (0.2, 0.6)  # calls that change nothing are repeated when a connection breaks
RETRY_WITHIN_S = 2.0  # a machine that is away takes longer to find out, and stays away
SECRET_TIMEOUT_S = 3.0  # for the question whether the secret is why a generation failed


@dataclass(frozen=True, slots=True)
class FileStatus:
    """Whether the server has a file, and its SHA-256 (32 bytes) where it was asked for."""

    name: str
    exists: bool
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of the cloud in compute units, for free users and subscribers, until `expires_at`
    (seconds of 1970). No server of one's own has any."""

    community: float
    plus: float
    expires_at: int


class Client:
    """A Draw Things server, synchronously. Cheap to make: connects when first used.

    Clients with the same `servers` share connections, catalogues, and whose turn it is at a
    server; one that is made without shares with nobody. `known` remembers the certificates of
    the latter, by default in the file of this user.

    Every method raises a ServerError for what goes wrong on the way: ServerUnreachable,
    NoAnswer, TrustError, SecretRejected, ProtocolError.
    """

    def __init__(
        self,
        profile: ServerProfile | None = None,
        *,
        secret: str | None = None,
        name: str = "drawthings-nodes",
        known: KnownServers | None = None,
        servers: Servers | None = None,
    ) -> None:
        self.profile = profile if profile is not None else default_profile()
        self.servers = servers if servers is not None else Servers(known)
        self.server = self.servers.at(self.profile)
        self._secret = secret
        self._name = name
        self.echo_timeout_s = ECHO_TIMEOUT_S

    def __repr__(self) -> str:
        return f"Client({self.profile!r})"

    def at(self, ip: str) -> Client:
        """The same for one of the addresses that the server's name stands for."""
        return Client(
            self.profile.at(ip), secret=self._secret, name=self._name, servers=self.servers
        )

    @property
    def has_secret(self) -> bool:
        return bool(self._secret)

    def without_secret(self) -> Client:
        """The same server, asked without the shared secret."""
        return Client(self.profile, name=self._name, servers=self.servers)

    @property
    def security(self) -> str:
        """How the connection is secured, in words. Connects if needed."""
        return self._connect().security

    @property
    def trust(self) -> channel.Trust:
        """What proves who the server is. Connects if needed."""
        return self._connect().trust

    @property
    def known_catalog(self) -> Catalog | None:
        """What the server last told, without asking it."""
        told = self.server.told(self._secret)
        return told.catalog if told is not None else None

    def echo(self) -> Catalog:
        """Ask the server what it has (docs/protocol.md 6.1)."""
        return self._greet(self.echo_timeout_s)

    def _greet(self, timeout_s: float) -> Catalog:
        request = protobuf.EchoRequest(name=self._name, sharedSecret=self._secret)
        reply = self._ask(protobuf.ECHO, request, timeout_s)
        if reply.sharedSecretMissing:
            self.server.link.doubt()
            address = self.profile.address
            raise SecretRejected(
                _WRONG_SECRET(address=address) if self._secret else _NO_SECRET(address=address),
                remedy=Remedy.GIVE_SECRET,
            )
        catalog = Catalog.from_reply(reply)
        self.server.link.believe()
        self.server.learn(self._secret, catalog)
        return catalog

    def catalog(self, max_age_s: float = CATALOG_AGE_S) -> Catalog:
        """The catalogue, asked for again only if older than `max_age_s`.

        A server that is too busy to answer gives the last known one.
        """
        told = self.server.told(self._secret)
        if told is not None and time.monotonic() - told.at <= max_age_s:
            return told.catalog
        try:
            return self.echo()
        except NoAnswer:  # started with --echo-on-queue, and busy
            if told is None:
                raise
            return told.catalog

    def files_exist(self, names: Iterable[str], *, hashes: bool = False) -> tuple[FileStatus, ...]:
        """Which files the server has (docs/protocol.md 6.2), in the order of `names`.

        `hashes` makes the server read every file in full while it answers nobody else.
        """
        wanted = [file_names.check(name) for name in names]
        request = protobuf.FileListRequest(
            files=wanted, filesWithHash=wanted if hashes else (), sharedSecret=self._secret
        )
        timeout_s = None if hashes else FILES_TIMEOUT_S
        reply = self._ask(protobuf.FILES_EXIST, request, timeout_s, patient=hashes)
        if len(reply.existences) != len(wanted):
            raise ProtocolError(
                _OTHER_COUNT(
                    address=self.profile.address,
                    existences=len(reply.existences),
                    wanted=len(wanted),
                )
            )
        digests = [*reply.hashes, *[b""] * len(wanted)]
        return tuple(
            FileStatus(name, exists, digest or None)
            for name, exists, digest in zip(wanted, reply.existences, digests, strict=False)
        )

    def thresholds(self) -> Thresholds | None:
        """The limits that a proxy of the cloud sets (docs/protocol.md 6.4); else None."""
        reply = self._ask(protobuf.HOURS, protobuf.HoursRequest(), self.echo_timeout_s)
        if not reply.HasField("thresholds"):
            return None
        told = reply.thresholds
        return Thresholds(told.community, told.plus, told.expireAt)

    def public_key(self) -> str:
        """The public key of a proxy, as PEM (docs/protocol.md 6.4); "" of any other server."""
        request = protobuf.PubkeyRequest(name=self._name)
        return str(self._ask(protobuf.PUBKEY, request, self.echo_timeout_s).pubkey)

    def upload(
        self,
        path: Path,
        name: str | None = None,
        *,
        overwrite: bool = False,
        sha256: bytes | None = None,
    ) -> Upload:
        """A file on its way into the server's models folder: call `run` of the result.

        `name` is the name there, by default the file's own; `sha256` (32 bytes) saves
        reading the file twice. Raises RequestError for a name that cannot be.
        """
        upload = Upload(
            self.profile,
            path,
            path.name if name is None else name,
            connect=lambda: self._connect().patient(),
            greet=self.echo,
            exists=lambda wanted: self.files_exist([wanted])[0].exists,
            secret=self._secret,
            overwrite=overwrite,
            sha256=sha256,
            explain=self.server.link.explain,
        )
        self.server.runs(upload)
        return upload

    def prepare(self, request: GenerationRequest) -> tuple[Resolved, tuple[str, ...]]:
        """Match a request with the server and check it; the warnings' sentences beside it.

        Raises RequestError for what must not be sent, ModelNotFound for an unknown model.
        """
        resolved, warnings = self._checked(request)
        return resolved, tuple(map(str, warnings))

    def _checked(self, request: GenerationRequest) -> tuple[Resolved, tuple[Text, ...]]:
        try:
            catalog = self.catalog()
        except NoAnswer:
            catalog = Catalog()
        resolved = resolve(request, catalog)
        if resolved.model is None and request.model:
            resolved = self._find_model(request, resolved)
        return resolved, preflight.refuse(preflight.check(resolved))

    def generate(self, request: GenerationRequest, room: Stack | None = None) -> Job:
        """Start a generation; returns at once. Its pictures go into `room`, if given.

        Errors, also those of `prepare`, are raised where the job's events are taken.
        """
        job = self.job(request, room)
        job.start()
        return job

    def job(self, request: GenerationRequest, room: Stack | None = None) -> Job:
        """The same, not begun yet."""

        def prepare() -> tuple[Started, Callable[[], Any]]:
            resolved, warnings = self._checked(request)
            started = Started(resolved, tuple(map(str, warnings)), warnings)
            return started, self.call_of(resolved)

        def explained(error: grpc.RpcError, downloads: bool) -> DrawThingsError:
            return self._explained(error, request, downloads)

        job = Job(prepare, self.profile, explained, room)
        self.server.runs(job)
        return job

    def call_of(self, resolved: Resolved, *, chunked: bool = True) -> Callable[[], Any]:
        """What starts the call of a generation: its messages come as bytes, unread.

        Where gRPC reads them and fails, the call never ends. Connects if needed; raises what
        `message.build` raises.
        """
        message = build(resolved, secret=self._secret)
        message.chunked = chunked
        method = protobuf.GENERATE_IMAGE
        most_bytes = Allowance(resolved, self.profile.address).message_bytes
        its_channel = self._connect().for_answers(most_bytes)
        call = its_channel.unary_stream(method.path, request_serializer=method.serialize)
        # No deadline: a queued or long generation is silent for minutes.
        return lambda: call(message)

    def _explained(
        self, error: grpc.RpcError, request: GenerationRequest, downloads: bool
    ) -> DrawThingsError:
        """What it means that a generation failed; `downloads`: the server was fetching a file."""
        link, pictures = self.server.link, _has_pictures(request)
        meant = link.explain(error, failures.Known(pictures=pictures))
        if isinstance(meant, Cancelled):
            # Whoever stops because nothing came may have waited on a dead connection: the
            # next generation gets another one.
            link.forget()
            return meant
        self.server.doubt()
        if type(meant) is not GenerationFailed:
            return meant
        # A wrong secret looks like any other failure (docs/protocol.md 5.6); Echo tells.
        is_right: bool | None = None
        try:
            catalog = self._greet(SECRET_TIMEOUT_S)
            is_right = True
            downloads = downloads or _lacks_files(request, catalog)
        except SecretRejected as rejected:
            return rejected
        except DrawThingsError:
            pass
        return link.explain(error, failures.Known(is_right, downloads, pictures))

    def _find_model(self, request: GenerationRequest, resolved: Resolved) -> Resolved:
        """Make sure of a model that the catalogue does not describe: the server would
        silently take another one."""
        file, catalog = request.model, resolved.catalog
        if catalog is not None and catalog.browsable and not catalog.has(file):
            resolved = resolve(request, self.echo())  # it may have come since
            catalog = resolved.catalog
        if resolved.model is not None or (catalog is not None and catalog.has(file)):
            return resolved
        if catalog is None or not catalog.browsable:
            if self.files_exist([file])[0].exists:
                return resolved
            raise ModelNotFound(
                _NO_MODEL_HERE(address=self.profile.address, file=file), remedy=Remedy.LIST_MODELS
            )
        available = tuple(sorted(model.file for model in catalog.models))
        if not available:
            raise ModelNotFound(_NO_MODEL_AT_ALL(address=self.profile.address, file=file))
        close = difflib.get_close_matches(file, available, n=3)
        ordered = [*close, *(name for name in available if name not in close)]
        shown = ", ".join(ordered[:MODELS_SHOWN]) + (", …" if len(ordered) > MODELS_SHOWN else "")
        raise ModelNotFound(
            _NO_MODEL(address=self.profile.address, file=file, models=shown),
            available,
        )

    def _connect(self) -> channel.Connection:
        return self.server.link.connect(has_secret=bool(self._secret))

    def _ask(
        self,
        method: protobuf.Method[protobuf.Request, protobuf.Reply],
        request: protobuf.Request,
        timeout_s: float | None,
        patient: bool = False,
    ) -> protobuf.Reply:
        """One call that changes nothing on the server, so that it may be repeated."""
        since = time.monotonic()
        for pause_s in RETRY_AFTER_S:
            try:
                return self._ask_once(method, request, timeout_s, patient)
            except ServerUnreachable as error:
                waited_s = time.monotonic() - since
                if type(error) is not ServerUnreachable or waited_s > RETRY_WITHIN_S:
                    raise
            time.sleep(pause_s)
        return self._ask_once(method, request, timeout_s, patient)

    def _ask_once(
        self,
        method: protobuf.Method[protobuf.Request, protobuf.Reply],
        request: protobuf.Request,
        timeout_s: float | None,
        patient: bool,
    ) -> protobuf.Reply:
        connection = self._connect()
        channel_of_it = connection.patient() if patient else connection.channel
        call = channel_of_it.unary_unary(
            method.path,
            request_serializer=method.serialize,
            response_deserializer=method.parse_reply,
        )
        try:
            answer: protobuf.Reply = call(request, timeout=timeout_s)
            keepalive.keep(connection.target)  # there is a socket now, maybe a new one
            return answer
        except grpc.RpcError as error:
            meant = self.server.link.explain(error)
            if not isinstance(meant, NoAnswer):  # it may be busy
                self.server.link.doubt(connection)
            raise meant from None


def _lacks_files(request: GenerationRequest, catalog: Catalog) -> bool:
    """Whether the server has to fetch the model or a LoRA, as far as it tells what it has."""
    wanted = resolve(request, catalog)
    files = (str(wanted.settings["model"]), *(lora.file for lora in wanted.loras))
    return catalog.browsable and not all(map(catalog.has, files))


def _has_pictures(request: GenerationRequest) -> bool:
    driving = any(control.picture is not None for control in request.controls)
    one = request.image is not None or request.mask is not None
    return one or driving or bool(request.references or request.frames)


class AsyncClient:
    """The same server for asyncio; may be used from one event loop after another."""

    def __init__(
        self,
        profile: ServerProfile | None = None,
        *,
        secret: str | None = None,
        name: str = "drawthings-nodes",
        known: KnownServers | None = None,
        servers: Servers | None = None,
    ) -> None:
        self.sync = Client(profile, secret=secret, name=name, known=known, servers=servers)

    async def echo(self) -> Catalog:
        """Ask the server what it has."""
        return await asyncio.to_thread(self.sync.echo)

    async def catalog(self, max_age_s: float = CATALOG_AGE_S) -> Catalog:
        """The catalogue, asked for again only if older than `max_age_s`."""
        return await asyncio.to_thread(self.sync.catalog, max_age_s)

    async def files_exist(
        self, names: Iterable[str], *, hashes: bool = False
    ) -> tuple[FileStatus, ...]:
        """Which files the server has, in the order of `names`."""
        return await asyncio.to_thread(self.sync.files_exist, names, hashes=hashes)

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """The events of one generation; leaving the loop early cancels it."""
        events = aiter(AsyncEvents(self.sync.generate(request)))
        async with contextlib.aclosing(events):
            async for event in events:
                yield event
