"""fpzip in child processes: death and recovery, parallel work, nothing left behind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from drawthings.dt_core.errors import Remedy, TensorError
from drawthings.dt_core.wire import fpzip_pool, shared_block, tensor
from drawthings.dt_core.wire.fpzip_pool import Pool

ROOT = Path(__file__).parents[3]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="looks at files and signals")


def picture(side: int = 48, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    random = np.random.default_rng(seed)
    ramp = np.linspace(-1, 1, side * side * 3).reshape(1, side, side, 3)
    return (ramp + random.normal(0, 0.01, ramp.shape)).astype(dtype)


def payload_of(array: np.ndarray) -> bytes:
    wire = tensor.encode(array, "fpzip")
    assert tensor.read_header(wire).codec == "fpzip"
    return wire[tensor.HEADER_BYTES :]


def damaged(payload: bytes) -> bytes:
    """A stream that fpzip itself refuses to read: it does not begin like one."""
    return bytes(4) + payload[4:]


DEADLY = b"DEADLY!!"


@pytest.fixture
def mortal_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real child, but one payload ends it in the middle of its work, as C code may."""
    ours = Path(fpzip_pool.__file__).with_name("fpzip_worker.py").read_text("utf-8")
    begin = '    start, length = order["payload"]\n'
    assert ours.count(begin) == 1
    end = f"    if memory[start : start + length] == {DEADLY!r}:\n        os._exit(9)\n"
    script = tmp_path / "mortal.py"
    script.write_text(ours.replace(begin, begin + end), "utf-8")
    monkeypatch.setattr(fpzip_pool, "_WORKER", script)


def shared_files(pid: int) -> list[str]:
    folders = [Path("/dev/shm"), Path(tempfile.gettempdir())]
    return [
        str(path)
        for folder in folders
        if folder.is_dir()
        for path in folder.glob(f"drawthings-fpzip-{pid}-*")
    ]


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.01)


def is_running(pid: int) -> bool:
    """False for zombies too: a container may have nobody who collects them."""
    with contextlib.suppress(OSError):
        return " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii")
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.shutdown()
    assert pool.process_ids() == []


@pytest.mark.parametrize("mode", ["direct", "portable"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_ways_to_call_fpzip_give_the_same_bits(mode: str, dtype: str) -> None:
    pool = Pool(1, mode=mode)
    array = picture(dtype=dtype)
    try:
        result = pool.decode(payload_of(array), array.shape, dtype, np.array)
        assert result.tobytes() == array.tobytes()
        assert (result.shape, result.dtype) == (array.shape, array.dtype)
        assert result.flags.owndata
        assert result.flags.writeable
    finally:
        pool.shutdown()


@pytest.mark.parametrize("mode", ["direct", "portable"])
def test_a_stream_without_its_end_is_an_error_either_way(mode: str) -> None:
    pool = Pool(1, mode=mode)
    array = picture()
    try:
        with pytest.raises(TensorError, match="its end is missing"):
            pool.decode(payload_of(array)[:-2], array.shape, "float32", np.array)
    finally:
        pool.shutdown()


def test_after_a_damaged_picture_the_next_one_is_decoded_by_a_fresh_child(pool: Pool) -> None:
    array = picture()
    payload = payload_of(array)
    pool.decode(payload, array.shape, "float32", np.array)
    (before,) = pool.process_ids()
    with pytest.raises(TensorError, match=r"The picture's compressed data is damaged"):
        pool.decode(damaged(payload), array.shape, "float32", np.array)
    assert pool.decode(payload, array.shape, "float32", np.array).tobytes() == array.tobytes()
    assert before not in pool.process_ids()


@pytest.mark.usefixtures("mortal_child")
def test_a_picture_on_which_the_child_dies_is_an_error_and_the_next_one_is_decoded(
    pool: Pool,
) -> None:
    array = picture()
    payload = payload_of(array)
    pool.decode(payload, array.shape, "float32", np.array)
    (before,) = pool.process_ids()
    with pytest.raises(TensorError, match="fpzip crashed on it"):
        pool.decode(DEADLY, array.shape, "float32", np.array)
    assert pool.process_ids() == []
    assert pool.decode(payload, array.shape, "float32", np.array).tobytes() == array.tobytes()
    assert before not in pool.process_ids()


@pytest.fixture
def killed_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """The real child; called with a number, so many of them are killed at their work."""
    ours = Path(fpzip_pool.__file__).with_name("fpzip_worker.py").read_text("utf-8")
    begun = '        answer: dict[str, Any] = {"ok": True}\n'
    assert ours.count(begun) == 1
    left = tmp_path / "left"
    die = (
        f"        left = {str(left)!r}\n"
        "        if os.path.exists(left) and (count := int(open(left).read())):\n"
        "            open(left, 'w').write(str(count - 1))\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = tmp_path / "killed.py"
    script.write_text(ours.replace(begun, die + begun), "utf-8")
    monkeypatch.setattr(fpzip_pool, "_WORKER", script)
    return lambda count: (left.write_text(str(count)), None)[1]


@posix_only
def test_a_child_that_is_killed_at_work_is_tried_once_more(
    pool: Pool, killed_children: Callable[[int], None]
) -> None:
    array = picture()
    killed_children(1)
    result = pool.decode(payload_of(array), array.shape, "float32", np.array)
    assert result.tobytes() == array.tobytes()
    killed_children(2)
    with pytest.raises(TensorError, match="fpzip crashed on it"):
        pool.decode(payload_of(array), array.shape, "float32", np.array)
    assert pool.process_ids() == []


@posix_only
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_are_encoded_in_a_child_whose_end_is_not_ours(
    killed_children: Callable[[int], None], dtype: str
) -> None:
    array = np.linspace(-1, 1, 48 * 48 * 3, dtype=dtype).reshape(1, 48, 48, 3)
    killed_children(1)
    fpzip_pool.shutdown()
    wire = tensor.encode(array, "fpzip")
    assert tensor.read_header(wire).codec == "fpzip"
    assert tensor.decode(wire).tobytes() == array.tobytes()
    killed_children(2)
    with pytest.raises(TensorError, match="could not be compressed"):
        tensor.encode(array, "fpzip")
    fpzip_pool.shutdown()


@posix_only
def test_a_program_that_is_killed_while_it_decodes_leaves_no_shared_memory() -> None:
    script = f"""
        import os, signal, sys, types
        pack = sys.modules["drawthings"] = types.ModuleType("drawthings")
        pack.__path__ = [{str(ROOT)!r}]
        from drawthings.dt_core.wire import fpzip_pool, tensor
        import numpy as np
        def killed_meanwhile(worker, order, timeout_s):
            line = __import__("json").dumps(order).encode() + b"\\n"
            worker.process.stdin.write(line); worker.process.stdin.flush()
            worker._answer()
            print(os.getpid(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        fpzip_pool._Worker._ask = killed_meanwhile
        tensor.decode(tensor.encode(np.zeros((1, 512, 512, 3), np.float16), "fpzip"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    program = int(done.stdout)
    until(lambda: shared_files(program) == [])


@posix_only
def test_what_a_killed_program_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    minutes_ago = time.time() - 300
    left, fresh, ours, other = (
        Path(tempfile.gettempdir()) / name
        for name in (
            f"drawthings-fpzip-{dead.pid}-left",
            f"drawthings-fpzip-{dead.pid}-fresh",
            f"drawthings-fpzip-{os.getpid()}-ours",
            "drawthings-fpzip-notes",
        )
    )
    try:
        for path in (left, fresh, ours, other):
            path.touch()
            if path != fresh:
                os.utime(path, (minutes_ago, minutes_ago))
        assert shared_block.remove_leftovers() >= 1
        assert [path.exists() for path in (left, fresh, ours, other)] == [False, True, True, True]
    finally:
        for path in (left, fresh, ours, other):
            path.unlink(missing_ok=True)


def test_names_of_windows_are_of_this_session_and_no_files() -> None:
    name = shared_block.section_name("ab12")
    assert name == "Local\\drawthings-fpzip-ab12"
    assert not shared_block.has_file(name)
    assert shared_block.has_file("/dev/shm/drawthings-fpzip-1-x")
    assert not shared_block.is_left(name, 1e9)


@posix_only
def test_a_child_that_died_while_idle_is_replaced_unnoticed(pool: Pool) -> None:
    array = picture()
    payload = payload_of(array)
    for _ in range(2):
        pool.decode(payload, array.shape, "float32", np.array)
        (child,) = pool.process_ids()
        os.kill(child, signal.SIGKILL)
        result = pool.decode(payload, array.shape, "float32", np.array)
        assert result.tobytes() == array.tobytes()
        assert child not in pool.process_ids()


def test_a_child_that_takes_too_long_is_killed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\n"
        "print('{\"ready\": true}', flush=True)\n"
        "sys.stdin.readline()\n"
        "print('{\"begun\": true}', flush=True)\n"
        "while True: pass\n",
        "utf-8",
    )
    monkeypatch.setattr(fpzip_pool, "_WORKER", script)
    monkeypatch.setattr(fpzip_pool, "TIMEOUT_BASE_S", 0.2)
    array = picture()
    with pytest.raises(TensorError, match="never ended"):
        pool.decode(payload_of(array), array.shape, "float32", np.array)
    assert pool.process_ids() == []
    monkeypatch.undo()
    assert (
        pool.decode(payload_of(array), array.shape, "float32", np.array).tobytes()
        == array.tobytes()
    )


def test_threads_decode_at_the_same_time_in_different_children(pool: Pool) -> None:
    pictures = [picture(side, seed=side) for side in (16, 64, 32, 96, 24, 48, 80, 40)]
    payloads = [payload_of(array) for array in pictures]

    def decode(index: int) -> bytes:
        return pool.decode(payloads[index], pictures[index].shape, "float32", np.array).tobytes()

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(decode, list(range(8)) * 4))
    assert results == [array.tobytes() for array in pictures] * 4
    assert 1 <= len(pool.process_ids()) <= 2


@pytest.mark.usefixtures("mortal_child")
def test_a_picture_on_which_a_child_dies_does_not_disturb_its_neighbours(pool: Pool) -> None:
    array = picture()
    payload = payload_of(array)

    def decode(index: int) -> bool:
        try:
            data = DEADLY if index % 3 == 0 else payload
            return pool.decode(data, array.shape, "float32", np.array).tobytes() == array.tobytes()
        except TensorError:
            return False

    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(decode, range(9)))
    assert results == [index % 3 != 0 for index in range(9)]


def test_a_result_does_not_change_when_the_next_one_arrives(pool: Pool) -> None:
    first, second = picture(seed=1), picture(seed=2)
    result = pool.decode(payload_of(first), first.shape, "float32", np.array)
    pool.decode(payload_of(second), second.shape, "float32", np.array)
    assert result.tobytes() == first.tobytes()


def test_warming_up_starts_children_that_then_do_the_work(pool: Pool) -> None:
    pool.warm_up()
    children = set(pool.process_ids())
    assert len(children) == 2
    pool.warm_up()
    array = picture()
    pool.decode(payload_of(array), array.shape, "float32", np.array)
    assert set(pool.process_ids()) == children


def test_idle_children_are_stopped_and_come_back_when_needed() -> None:
    pool = Pool(1, idle_s=0.05)
    array = picture()
    payload = payload_of(array)
    try:
        for _ in range(2):
            assert (
                pool.decode(payload, array.shape, "float32", np.array).tobytes() == array.tobytes()
            )
            until(lambda: not pool.process_ids())
    finally:
        pool.shutdown()


@posix_only
@pytest.mark.usefixtures("mortal_child")
def test_neither_files_nor_processes_stay_behind() -> None:
    pool = Pool(2)
    array = picture()
    payload = payload_of(array)
    pool.decode(payload, array.shape, "float32", np.array)
    with contextlib.suppress(TensorError):
        pool.decode(DEADLY, array.shape, "float32", np.array)
    pool.decode(payload, array.shape, "float32", np.array)
    # The memory loses its name as soon as the child has it.
    assert shared_files(os.getpid()) == []
    children = pool.process_ids()
    pool.shutdown()
    assert shared_files(os.getpid()) == []
    assert not any(is_running(child) for child in children)


@posix_only
@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_children_end_with_the_program_however_it_ends(end: str) -> None:
    script = f"""
        import os, signal, sys, types
        pack = sys.modules["drawthings"] = types.ModuleType("drawthings")
        pack.__path__ = [{str(ROOT)!r}]
        from drawthings.dt_core.wire import fpzip_pool, tensor
        import numpy as np
        array = np.zeros((1, 32, 32, 3), np.float16)
        tensor.decode(tensor.encode(array, "fpzip"))
        fpzip_pool.warm_up(1)
        print(os.getpid(), *fpzip_pool.decode_payload.__self__.process_ids(), flush=True)
        {end}
    """
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    program, *children = (int(word) for word in done.stdout.split())
    assert children
    until(lambda: not any(is_running(child) for child in children))
    assert shared_files(program) == []


def test_a_missing_fpzip_says_what_to_install(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "fpzip" else find(name)
    )
    array = picture()
    with pytest.raises(TensorError, match=re.escape(str(Remedy.INSTALL_FPZIP.value()))):
        pool.decode(payload_of(array), array.shape, "float32", np.array)
    pool.warm_up()
    assert pool.process_ids() == []


def test_an_fpzip_that_cannot_be_imported_says_what_to_install(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = Path(fpzip_pool.__file__).with_name("fpzip_worker.py").read_text("utf-8")
    broken = tmp_path / "worker.py"
    broken.write_text(worker.replace("import fpzip\n", "import fpzip_of_another_planet\n"), "utf-8")
    monkeypatch.setattr(fpzip_pool, "_WORKER", broken)
    array = picture()
    with pytest.raises(TensorError, match=r"another_planet.*--no-response-compression"):
        pool.decode(payload_of(array), array.shape, "float32", np.array)


def test_children_that_die_at_once_are_not_started_for_ever(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    script.write_text("raise SystemExit(3)", "utf-8")
    monkeypatch.setattr(fpzip_pool, "_WORKER", script)
    array = picture()
    with pytest.raises(TensorError, match="die as soon as they start"):
        pool.decode(payload_of(array), array.shape, "float32", np.array)


@posix_only
def test_a_full_shared_memory_falls_back_to_the_temporary_folder(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shared_block._map_file_in
    folders = []

    def full_memory(folder: str, size_bytes: int) -> object:
        folders.append(folder)
        if folder == "/dev/shm":
            raise OSError(28, "No space left on device")
        return place(folder, size_bytes)

    monkeypatch.setattr(shared_block, "_map_file_in", full_memory)
    array = picture()
    result = pool.decode(payload_of(array), array.shape, "float32", np.array)
    assert result.tobytes() == array.tobytes()
    assert folders[-1] == tempfile.gettempdir()
