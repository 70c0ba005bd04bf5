"""Uploads over a real wire: what arrives, what is refused, and how one ends early."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import (
    Cancelled,
    FileOnServer,
    RequestError,
    SecretRejected,
    ServerUnreachable,
    UploadFailed,
)
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.upload import CHUNK_BYTES, WINDOW, UploadPhase, check_name
from drawthings.dt_core.simulator import Simulator, receiving
from drawthings.dt_core.simulator.receiving import Failure
from drawthings.dt_core.wire import protobuf

NAME = "my_style_lora_f16.ckpt"


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator(secret="s3cret") as running:
        yield running


def a_file(folder: Path, size: int, name: str = NAME) -> Path:
    path = folder / name
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    return path


def test_a_file_arrives_whole_and_is_listed(client: Client, tmp_path: Path) -> None:
    path = a_file(tmp_path, 3 * CHUNK_BYTES + 17)
    digest = hashlib.sha256(path.read_bytes()).digest()
    told: list[tuple[UploadPhase, int, int]] = []

    uploaded = client.upload(path).run(lambda *progress: told.append(progress))

    assert (uploaded.name, uploaded.size, uploaded.sha256) == (NAME, path.stat().st_size, digest)
    assert client.files_exist([NAME], hashes=True)[0].sha256 == digest
    assert NAME in client.echo().files
    assert [phase for phase, _, _ in told[:4]] == [UploadPhase.HASHING] * 4
    sent = [done for phase, done, _ in told[4:] if phase is UploadPhase.SENDING]
    assert sent == [0, CHUNK_BYTES, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES]
    assert told[-1] == (UploadPhase.HASHING, uploaded.size, uploaded.size)  # the server's turn


def test_a_file_larger_than_the_window_arrives(client: Client, tmp_path: Path) -> None:
    path = a_file(tmp_path, (WINDOW + 3) * CHUNK_BYTES)
    assert client.upload(path).run().sha256 == hashlib.sha256(path.read_bytes()).digest()


def test_a_file_is_overwritten_only_if_that_was_asked_for(client: Client, tmp_path: Path) -> None:
    client.upload(a_file(tmp_path, 1000)).run()
    other = a_file(tmp_path, 2000)
    with pytest.raises(FileOnServer, match=r"has a file 'my_style_lora_f16\.ckpt' already"):
        client.upload(other).run()
    kept = client.files_exist([NAME], hashes=True)[0].sha256
    uploaded = client.upload(other, overwrite=True).run()
    assert kept != uploaded.sha256
    assert client.files_exist([NAME], hashes=True)[0].sha256 == uploaded.sha256


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../evil.ckpt",
        "a/b.ckpt",
        "a\\b.ckpt",
        "C:x.ckpt",
        ".hidden.ckpt",
        "a\n.ckpt",
        "my\u202elora.ckpt",  # marks of direction: no catalogue lists it
        "custom_lora.json",
        "picture.png",
        "lora.safetensors",
        "x" * 300 + ".ckpt",
    ],
)
def test_a_name_that_no_model_file_has_is_refused_in_words(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_name(name)
    assert str(caught.value).endswith(".")


def test_names_of_model_files_and_their_companions_pass() -> None:
    for name in ("Modell ü (2).ckpt", "flux.CKPT", "big.ckpt-tensordata"):
        assert check_name(name) == name


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_not_followed_and_what_is_no_file_is_not_read(
    client: Client, tmp_path: Path
) -> None:
    secret = tmp_path / "private"
    secret.write_text("not for others")
    link, folder, pipe = (tmp_path / f"{name}.ckpt" for name in ("link", "folder", "pipe"))
    link.symlink_to(secret)
    folder.mkdir()
    os.mkfifo(pipe)
    with pytest.raises(RequestError, match=r"'link\.ckpt' is a link\. Upload the file that it"):
        client.upload(link).run()
    for path in (folder, pipe):
        with pytest.raises(RequestError, match="is no file"):
            client.upload(path).run()
    files = client.files_exist([path.name for path in (link, folder, pipe)])
    assert not any(status.exists for status in files)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_file_that_becomes_a_link_meanwhile_is_not_followed(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link.ckpt"
    link.symlink_to(tmp_path / "private")
    (tmp_path / "private").write_text("not for others")
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)  # as it was a moment ago
    with pytest.raises(RequestError, match="cannot be read"):
        client.upload(link).run()


def test_an_empty_file_and_a_missing_one_are_told(client: Client, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is empty"):
        client.upload(a_file(tmp_path, 0)).run()
    with pytest.raises(RequestError, match=r"'gone\.ckpt' cannot be read"):
        client.upload(tmp_path / "gone.ckpt").run()


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_the_secret_is_needed(server: Simulator, tmp_path: Path, secret: str | None) -> None:
    stranger = Client(ServerProfile(server.address), secret=secret)
    for overwrite in (False, True):
        with pytest.raises(SecretRejected):
            stranger.upload(a_file(tmp_path, 1000), overwrite=overwrite).run()
    assert NAME not in server.files()


def test_every_message_carries_the_secret(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets: list[str] = []
    take = receiving.Upload.take

    def spy(self: receiving.Upload, request: protobuf.FileUploadRequest) -> Iterator[object]:
        secrets.append(request.sharedSecret)
        return take(self, request)

    monkeypatch.setattr(receiving.Upload, "take", spy)
    client.upload(a_file(tmp_path, 2 * CHUNK_BYTES)).run()
    assert secrets == ["s3cret"] * 3


def test_a_wrong_hash_is_found_by_the_server(
    client: Client, server: Simulator, tmp_path: Path
) -> None:
    with pytest.raises(UploadFailed, match="arrived damaged"):
        client.upload(a_file(tmp_path, 1000), sha256=b"\0" * 32).run()
    assert NAME not in server.files()


@pytest.mark.parametrize(
    ("code", "details", "sentence"),
    [
        (grpc.StatusCode.INTERNAL, "Failed to create file handle", "cannot write"),
        (grpc.StatusCode.INTERNAL, "unknown error processing request", "refused"),
        (grpc.StatusCode.INVALID_ARGUMENT, "expected 2, received 1", "another size"),
        (grpc.StatusCode.UNIMPLEMENTED, "Service not supported", "takes no uploads"),
    ],
)
def test_what_the_server_refuses_is_told_in_words(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: grpc.StatusCode,
    details: str,
    sentence: str,
) -> None:
    def fail(_self: object, _request: object) -> Iterator[object]:
        raise Failure(code, details)
        yield

    monkeypatch.setattr(receiving.Upload, "take", fail)
    with pytest.raises(UploadFailed, match=sentence):
        client.upload(a_file(tmp_path, 1000)).run()


def test_cancel_ends_an_upload_and_nothing_is_left(
    client: Client, server: Simulator, tmp_path: Path
) -> None:
    upload = client.upload(a_file(tmp_path, 4 * CHUNK_BYTES))

    def stop(phase: UploadPhase, _done: int, _total: int) -> None:
        if phase is UploadPhase.SENDING:
            upload.cancel()

    with pytest.raises(Cancelled, match="upload was cancelled"):
        upload.run(stop)
    assert NAME not in server.files()
    upload.cancel()  # once more, when it is over


def test_cancel_ends_an_upload_that_waits_for_the_server(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, release = threading.Event(), threading.Event()

    def hang(_self: object, _request: object) -> Iterator[object]:
        arrived.set()
        release.wait(30)
        yield protobuf.UploadResponse(chunkUploadSuccess=True)

    monkeypatch.setattr(receiving.Upload, "take", hang)
    upload = client.upload(a_file(tmp_path, 1000))

    def cancel_it() -> None:
        if arrived.wait(30):
            upload.cancel()

    threading.Thread(target=cancel_it, daemon=True).start()
    try:
        with pytest.raises(Cancelled):
            upload.run()
    finally:
        release.set()


def test_a_server_that_goes_away_half_way_is_told(tmp_path: Path) -> None:
    with Simulator() as server:
        upload = Client(ServerProfile(server.address)).upload(a_file(tmp_path, 70 * CHUNK_BYTES))

        def leave(phase: UploadPhase, done: int, _total: int) -> None:
            if phase is UploadPhase.SENDING and done == CHUNK_BYTES:
                server.stop()

        with pytest.raises(ServerUnreachable):
            upload.run(leave)
