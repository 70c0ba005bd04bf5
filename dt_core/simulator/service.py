"""The simulated server: sockets, secret, queue, and one method for each of the service.

    with Simulator(secret="s3cret", tls=False) as server:
        channel = grpc.insecure_channel(server.address)
        ...
        record = server.wait_for(lambda record: record.outcome == "cancelled", 5)

Answers as a stock gRPCServerCLI does (docs/protocol.md 4 to 6), except where that one would
crash: then the call ends with INVALID_ARGUMENT and the reason.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from threading import Event
from typing import Any

import grpc

from ..errors import SettingsError
from ..settings import flatbuffer
from ..settings.configuration import Configuration
from ..wire import protobuf
from . import answers as generation
from . import damage, gate
from .certificate import own_certificate
from .choosing import choose
from .faults import Fault, Script
from .hands import Hands, link_of, over
from .intake import read_request
from .inventory import Catalog
from .listening import cannot_listen, check_address
from .notes import explain
from .plan import make_plan
from .queue import SerialQueue
from .receiving import Failure, Store, Upload
from .record import Ledger, Outcome, Record
from .relay import Relay
from .strict import PREFIX, first_trap

log = logging.getLogger(__name__)

MAX_RECEIVE_BYTES = 1 << 30
_THREADS = 64  # a waiting generation holds one
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
    *gate.OPTIONS,
)


class Simulator:
    """A server on `host`:`port` from construction to `stop`; port 0 takes a free one.

    `certificate` and `private_key` are PEM; without them a TLS server makes its own.
    `step_delay` is in seconds, for every progress message of sampling.

    With `faults` calls go wrong as written there, and connections run through a relay.

    Raises ServerError if the address cannot be used and TrustError if there is no
    certificate.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        secret: str = "",
        tls: bool = False,
        certificate: bytes | None = None,
        private_key: bytes | None = None,
        step_delay: float = 0.0,
        model_browser: bool = True,
        response_compression: bool = True,
        echo_on_queue: bool = False,
        catalog: Catalog | None = None,
        faults: Script | None = None,
    ) -> None:
        check_address(host, port)
        self.catalog = catalog or Catalog.load()
        self.secret = secret
        self.step_delay = step_delay
        self.model_browser = model_browser
        self.response_compression = response_compression
        self.echo_on_queue = echo_on_queue
        self.identifier = _identifier()
        self.echo_count = 0
        self.certificate = certificate
        if tls and (certificate is None or private_key is None):
            self.certificate, private_key = own_certificate()
        self.faults = faults
        self._relay: Relay | None = None
        self._queue = SerialQueue()
        self._ledger = Ledger()
        self._store = Store()
        self._stopping = Event()
        self._pool = futures.ThreadPoolExecutor(_THREADS, "simulator")
        self._server = grpc.server(self._pool, options=_OPTIONS)
        self._server.add_generic_rpc_handlers(self._handlers())
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        name, relayed = target.rpartition(":")[0], faults is not None
        if relayed:
            target = "127.0.0.1:0"
        try:
            if tls:
                pair = [(private_key or b"", self.certificate or b"")]
                self.port = self._server.add_secure_port(target, grpc.ssl_server_credentials(pair))
            else:
                self.port = self._server.add_insecure_port(target)
            if relayed:
                self._relay = Relay(host, port, self.port, frames=not tls)
                self.port = self._relay.port
        except (RuntimeError, OSError) as error:
            self._store.close()
            raise cannot_listen(host, port, error) from None
        self.address = f"{name}:{self.port}"
        self._server.start()

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all calls and close the socket. May be called again."""
        self._stopping.set()
        self._queue.close()
        if self._relay is not None:
            self._relay.close()
        self._server.stop(0).wait()
        self._pool.shutdown(wait=True)
        self._store.close()

    @property
    def requests(self) -> tuple[Record, ...]:
        """The generations so far, in order of arrival."""
        return tuple(self._ledger.records)

    def forget(self) -> None:
        """Drop the records of what has ended, so that a long run does not fill the memory."""
        self._ledger.forget()

    @property
    def queue_length(self) -> int:
        """How many calls run or wait on the queue."""
        return self._queue.length

    def restart(self) -> None:
        """Be another process at the same address: connections break, the identifier changes.

        Only with `faults`.
        """
        self.identifier = _identifier()
        if self._relay is not None:
            self._relay.cut_all()

    def _powers(self, context: grpc.ServicerContext, gone: Event) -> Hands:
        return Hands(self, link_of(self._relay, context), gone)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Be busy with somebody else's generation: what comes meanwhile waits."""
        with self._queue.turn():
            yield

    def wait_for(self, wanted: Callable[[Record], bool], timeout: float = 10.0) -> Record:
        """The first generation that `wanted` accepts, now or within `timeout` seconds.

        Raises TimeoutError.
        """
        return self._ledger.wait_for(wanted, timeout)

    def files(self) -> frozenset[str]:
        """The names of all files, the uploaded ones included."""
        return self.installed().files

    def installed(self) -> Catalog:
        """The catalogue with what was uploaded."""
        return self.catalog.with_files(self._store.names(), self._store.empty())

    def _handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        return gate.handlers(
            unary=(
                (protobuf.ECHO, self._echo),
                (protobuf.FILES_EXIST, self._files_exist),
                (protobuf.PUBKEY, self._pubkey),
                (protobuf.HOURS, self._hours),
            ),
            streaming=((protobuf.GENERATE_IMAGE, self._generate),),
            both_ways=((protobuf.UPLOAD_FILE, self._upload),),
        )

    def _admit(self, request: Any, context: grpc.ServicerContext) -> None:
        if not self._knows_secret(request):
            log.info("refused: wrong shared secret")
            context.abort(grpc.StatusCode.INTERNAL, gate.UNKNOWN_ERROR)

    def _knows_secret(self, request: Any) -> bool:
        return not self.secret or request.sharedSecret == self.secret

    def _echo(self, request: protobuf.EchoRequest, context: grpc.ServicerContext) -> Any:
        self.echo_count += 1
        faults = self._faulty(context, "echo")
        if self.echo_on_queue:
            with self._queue.turn():
                return self._echo_reply(request, faults)
        return self._echo_reply(request, faults)

    def _echo_reply(self, request: protobuf.EchoRequest, faults: list[Fault]) -> Any:
        if not self._knows_secret(request):
            return protobuf.EchoReply(sharedSecretMissing=True)
        reply = protobuf.EchoReply(
            message=f"HELLO {request.name}", serverIdentifier=self.identifier
        )
        if self.model_browser:
            catalog = self.installed()
            reply.files.extend(catalog.checkpoints())
            reply.override.CopyFrom(catalog.to_override())
        for fault in faults:
            reply = damage.echo(fault, reply)
        return reply

    def _faulty(self, context: grpc.ServicerContext, on: str) -> list[Fault]:
        """The faults of a unary call; those that stop it do so here."""
        faults = self.faults.take(on) if self.faults else []
        try:
            for fault in faults:
                damage.in_place(fault, self._powers(context, over(context)))
        except damage.Ended as ended:
            context.abort(ended.code, ended.details)
        return faults

    def _files_exist(self, request: protobuf.FileListRequest, context: grpc.ServicerContext) -> Any:
        self._admit(request, context)
        self._faulty(context, "files")
        files, hashed = self.files(), set(request.filesWithHash)
        return protobuf.FileExistenceResponse(
            files=request.files,
            existences=[name in files or not name for name in request.files],
            hashes=[self._hash(name) if name in hashed & files else b"" for name in request.files],
        )

    def _hash(self, name: str) -> bytes:
        """Of an uploaded file its own; others have no bytes, so theirs is that of the name."""
        return self._store.sha256(name) or hashlib.sha256(name.encode()).digest()

    def _pubkey(self, _: Any, __: grpc.ServicerContext) -> Any:
        return protobuf.PubkeyResponse()

    def _hours(self, _: Any, __: grpc.ServicerContext) -> Any:
        return protobuf.HoursResponse()

    def _upload(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        with Upload(self._store) as upload:
            try:
                for request in requests:
                    self._admit(request, context)
                    yield from upload.take(request)
                log.info("uploaded: %s", upload.finish())
            except Failure as failure:
                context.abort(failure.code, failure.details)

    def _generate(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self._admit(request, context)
        record = Record(request)
        self._ledger.add(record)
        outcome: Outcome = "cancelled"  # of a generator that grpc drops half-way
        reason = ""
        gone = over(context)
        ended: damage.Ended | None = None
        try:
            configuration = flatbuffer.decode(request.configuration)
            self._ledger.change(record, configuration=configuration)
            with self._queue.turn() as is_open:
                answers = self._run(record, configuration) if is_open else iter(())
                for fault in self.faults.take("generate", request.user) if self.faults else ():
                    answers = damage.answers(fault, answers, self._powers(context, gone))
                for response in answers:
                    if self._pause(gone, _is_sampling(response)):
                        break
                    yield response
                    self._ledger.change(record, sent=record.sent + 1)
                else:
                    if is_open:
                        outcome = "empty" if record.reason else "done"
                        reason = record.reason
        except (_Refusal, SettingsError) as error:
            outcome, reason = "refused", PREFIX + str(error)
        except damage.Ended as error:
            ended, outcome, reason = error, "failed", error.details
        finally:
            self._ledger.change(record, outcome=outcome, reason=reason)
            log.info("%s%s", outcome, f": {reason}" if reason else "")
        if ended is not None:
            context.abort(ended.code, ended.details)
        if outcome == "refused":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        if outcome == "cancelled" and self._stopping.is_set():
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def _pause(self, gone: Event, is_sampling: bool) -> bool:
        """Take the time of one progress message; whether the client has left."""
        if is_sampling and self.step_delay > 0:
            gone.wait(self.step_delay)
        return gone.is_set() or self._stopping.is_set()

    def _run(self, record: Record, configuration: Configuration) -> Iterator[Any]:
        asked = read_request(record.message, configuration, self.installed())
        self._ledger.change(
            record, started=True, image=asked.image, mask=asked.mask, hints=asked.hints
        )
        chosen = choose(asked)
        trap = first_trap(asked, chosen)
        if trap:
            raise _Refusal(trap)
        plan = make_plan(asked, chosen)
        asked.notes.extend(explain(asked, plan))
        self._ledger.change(record, notes=tuple(asked.notes), reason=plan.empty)
        log.info("%s, %s path, %d steps", chosen.file, plan.path, plan.runs)
        for note in asked.notes:
            log.info("note: %s", note)
        yield from generation.messages(asked, plan, self.response_compression)


class _Refusal(Exception):
    """The request would have taken the real server down."""


_SLOW = frozenset({"sampling", "secondPassSampling"})


def _identifier() -> int:
    return random.SystemRandom().getrandbits(64) or 1


def _is_sampling(response: Any) -> bool:
    if isinstance(response, bytes):  # of a fault
        return False
    return response.currentSignpost.WhichOneof("signpost") in _SLOW
