"""`DrawThingsClient` and its asyncio twin: a picture in one call, for scripts."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..connection.known_servers import KnownServers
from ..connection.profile import ServerProfile, TlsMode, default_profile
from ..connection.secret_store import SecretStore
from ..errors import SettingsError
from ..generation.client import Client
from ..generation.event_queue import AsyncEvents
from ..generation.registry import Servers
from ..models.catalog import Catalog, LoraInfo, Model
from ..models.file_names import latent_info
from ..text import Template
from .arguments import Asked, DescribingClient, asked_for_files, takes
from .media import save_images
from .running import GenerationEvent, Work
from .telling import in_python, warn

_INSECURE = Template(
    "insecure_with_tls",
    "insecure means no TLS: leave out verify_ssl and ssl_cert_path.",
)


def profile_of(
    server_address: str | None, insecure: bool, verify_ssl: bool, ssl_cert_path: Any
) -> ServerProfile:
    """The server that these arguments mean.

    Raises SettingsError for an address that cannot be and for arguments that contradict.
    """
    if insecure and (verify_ssl or ssl_cert_path):
        raise SettingsError(_INSECURE())
    if server_address is None and not (insecure or verify_ssl or ssl_cert_path):
        return default_profile()
    address = server_address
    if address is None:
        address = ",".join(default_profile().addresses)
    if insecure:
        return ServerProfile(address, TlsMode.PLAIN)
    if ssl_cert_path:
        return ServerProfile(address, TlsMode.AUTHORITY, ca_file=os.fspath(ssl_cert_path))
    if verify_ssl:
        return ServerProfile(address, TlsMode.SYSTEM)
    return ServerProfile(address, TlsMode.AUTOMATIC if "://" in address else TlsMode.TLS)


class DrawThingsClient:
    """A Draw Things server for scripts, or several that share the work.

        with DrawThingsClient("my-mac.local:7859") as client:
            images = client.generate_image("a lighthouse", ImageGenerationConfig(MODEL))

    `server_address` is "host", "host:port", "[IPv6]:port", or several with commas, with
    "tls://" or "plain://" before it to choose that; without one DRAWTHINGS_SERVER counts,
    else localhost:7859. TLS is used, with the certificate that the server showed first;
    `insecure` is plain TCP, `verify_ssl` asks for a certificate of a system authority,
    `ssl_cert_path` is a PEM file with an authority to trust.
    `shared_secret` is the server's password, by default DRAWTHINGS_SECRET.
    `enable_compression` has no effect: servers refuse compressed messages.

    Connects when first used. Every method raises the errors of `dt_core.errors`, each one
    a sentence.
    """

    def __init__(
        self,
        server_address: str | None = None,
        insecure: bool = False,
        verify_ssl: bool = False,
        ssl_cert_path: str | os.PathLike[str] | None = None,
        enable_compression: bool = False,
        *,
        shared_secret: str | None = None,
        known: KnownServers | None = None,
    ) -> None:
        if enable_compression:
            warn("enable_compression has no effect: servers refuse compressed messages.")
        self.profile = profile_of(server_address, insecure, verify_ssl, ssl_cert_path)
        self._secret = shared_secret or SecretStore().lookup("")
        self._servers = Servers(known)
        self.clients: tuple[Client, ...] = self._clients(Client)

    def __repr__(self) -> str:
        return f"DrawThingsClient({','.join(self.profile.addresses)!r})"

    def __enter__(self) -> DrawThingsClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another one. What runs goes on."""
        for client in self.clients:
            client.server.link.forget()

    @takes(asked_for_files)
    def generate_image(self, *arguments: Any, **named: Any) -> list[bytes]:
        """The pictures as PNG files, in order; of a video its frames.

        The files hold what made them, as the Draw Things app reads it. Pictures go in as
        PIL pictures, paths, bytes of a file or arrays. Of `mask_image` white is repainted
        and black kept. `references` are what edit models look at. `hints` are pictures for
        controls, {"depth": picture}. `metadata_override` describes files that the server
        does not describe itself. `scale_factor` must be 1.

        `progress_callback` gets the server's word for a stage and the step while sampling,
        `preview_callback` a small PNG file. What the server will not do as asked becomes
        a DrawThingsWarning.
        """
        asked, collected = asked_for_files(*arguments, **named)
        for event in self._events(asked):
            collected.take(event)
        return collected.files()

    @takes(Asked.of)
    def generate(self, *arguments: Any, **named: Any) -> Iterator[GenerationEvent]:
        """The same as events, while it happens; leaving the loop early cancels it."""
        yield from self._events(Asked.of(*arguments, **named))

    def _events(self, asked: Asked) -> Iterator[GenerationEvent]:
        with in_python():
            work = Work(self._for(asked), asked.order)
            warn(*work.notes)
            run = work.start()
            try:
                for event in run:
                    yield from work.told(event)
            finally:
                run.cancel()

    def save_images(
        self,
        images: Iterable[bytes],
        output_dir: str | os.PathLike[str] = "output",
        prefix: str = "generated",
    ) -> list[Path]:
        """Write PNG files; never over a file that is there."""
        return save_images(images, output_dir, prefix)

    def list_models(self) -> list[Model]:
        """The server's models: `file`, `name`, `version` and more; empty where it does not tell."""
        return list(self.catalog().models)

    def list_loras(self) -> list[LoraInfo]:
        """The server's LoRAs, likewise."""
        return list(self.catalog().loras)

    def get_latent_info(self, file: str) -> dict[str, Any]:
        """What is known of a model, by the server or by its file name: see `latent_info`."""
        return latent_info(file, self.catalog())

    def catalog(self) -> Catalog:
        """All that the server has; of several servers, the first one's."""
        with in_python():
            return self.clients[0].catalog()

    def _clients(self, kind: type[Client]) -> tuple[Any, ...]:
        return tuple(
            kind(profile, secret=self._secret, servers=self._servers)
            for profile in self.profile.members
        )

    def _for(self, asked: Asked) -> tuple[Client, ...]:
        """The clients, or ones that know the files that a script describes."""
        if asked.extra == Catalog():
            return self.clients
        made: tuple[DescribingClient, ...] = self._clients(DescribingClient)
        for client in made:
            client.extra = asked.extra
        return made


class AsyncDrawThingsClient:
    """The same for asyncio: `async with`, and `async for event in client.generate(...)`."""

    def __init__(
        self,
        server_address: str | None = None,
        insecure: bool = False,
        verify_ssl: bool = False,
        ssl_cert_path: str | os.PathLike[str] | None = None,
        enable_compression: bool = False,
        *,
        shared_secret: str | None = None,
        known: KnownServers | None = None,
    ) -> None:
        self.sync = DrawThingsClient(
            server_address,
            insecure,
            verify_ssl,
            ssl_cert_path,
            enable_compression,
            shared_secret=shared_secret,
            known=known,
        )

    async def __aenter__(self) -> AsyncDrawThingsClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sync.close()

    @takes(Asked.of)
    async def generate(
        self, *arguments: Any, **named: Any
    ) -> AsyncGenerator[GenerationEvent, None]:
        """What happens, while it happens; leaving the loop early cancels it.

        `png()` of a picture takes a tenth of a second for each megapixel: call it with
        asyncio.to_thread where that matters.
        """
        asked = await asyncio.to_thread(Asked.of, *arguments, **named)
        async with contextlib.aclosing(self._events(asked)) as events:
            async for event in events:
                yield event

    async def _events(self, asked: Asked) -> AsyncGenerator[GenerationEvent, None]:
        def prepare() -> Work:
            with in_python():
                work = Work(self.sync._for(asked), asked.order)
                work.find_servers()
                return work

        work = await asyncio.to_thread(prepare)
        warn(*work.notes)
        run = work.start()
        events = AsyncEvents(run)
        try:
            with in_python():
                while (batch := await events.take()) is not None:
                    for event in batch:
                        for told in work.told(event):
                            yield told
        finally:
            run.cancel()

    @takes(asked_for_files)
    async def generate_image(self, *arguments: Any, **named: Any) -> list[bytes]:
        """See DrawThingsClient.generate_image; the callbacks are called in the loop's thread."""
        asked, collected = await asyncio.to_thread(asked_for_files, *arguments, **named)
        async with contextlib.aclosing(self._events(asked)) as events:
            async for event in events:
                collected.take(event)
        return await asyncio.to_thread(collected.files)

    async def list_models(self) -> list[Model]:
        """The server's models; empty where it does not tell."""
        return await asyncio.to_thread(self.sync.list_models)

    async def list_loras(self) -> list[LoraInfo]:
        """The server's LoRAs, likewise."""
        return await asyncio.to_thread(self.sync.list_loras)

    async def get_latent_info(self, file: str) -> dict[str, Any]:
        """What is known of a model, by the server or by its file name."""
        return await asyncio.to_thread(self.sync.get_latent_info, file)

    async def catalog(self) -> Catalog:
        """All that the server has; of several servers, the first one's."""
        return await asyncio.to_thread(self.sync.catalog)


class ModelMetadata:
    """What is known of a server's models."""

    def __init__(self, server: Any) -> None:
        """`server` is a DrawThingsClient, a Client, or an address."""
        if isinstance(server, str):
            server = DrawThingsClient(server)
        self._client: Client = server.clients[0] if isinstance(server, DrawThingsClient) else server

    def get_latent_info(self, file: str) -> dict[str, Any]:
        """See `latent_info`. Raises what asking a server may raise, and ModelNotFound."""
        return latent_info(file, self._client.catalog())
