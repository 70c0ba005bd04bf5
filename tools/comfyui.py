"""Start a real ComfyUI with this pack in it.

`python -m tools.comfyui` starts the simulator and ComfyUI, prints the address to open and
leaves both running until Ctrl-C. `python -m tools.comfyui install` only installs;
`python -m tools.comfyui python …` runs ComfyUI's Python with ComfyUI importable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .child import Child, free_port
from .comfyui_client import Client, Http
from .comfyui_setup import FRONT_ENDS, ROOT, Installation, SetupError, find_or_install, front_end

PACK_FOLDER = "ComfyUI-DrawThings.Nodes"  # no identifier, to prove that none is needed
SAMPLE_PICTURES = ROOT / "example_workflows" / "input"
START_TIMEOUT_S = 120.0
NOT_COPIED = shutil.ignore_patterns(".git", ".build", "node_modules", "__pycache__", "artifacts")


class ComfyUI:
    """One ComfyUI process on a free port, with settings and folders of its own.

        with ComfyUI(installation, server="localhost:7859") as comfyui:
            comfyui.client().run(prompt)

    `server` becomes DRAWTHINGS_SERVER, `pack` is the checkout to load, `front_end` the
    static files to serve: by default a blank page, which is enough without a browser;
    `own_front_end` leaves the choice to ComfyUI.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        server: str | None = None,
        pack: Path = ROOT,
        pack_folder: str = PACK_FOLDER,
        front_end: Path | None = None,
        own_front_end: bool = False,
        log: Path | None = None,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.installation = installation
        self.pack_folder = pack_folder
        page = front_end or installation.blank_front_end
        self._front_end = () if own_front_end else ("--front-end-root", str(page))
        self.base = Path(tempfile.mkdtemp(prefix="comfyui-"))
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = log or self.base / "comfyui.log"
        self._env = dict(env or {})
        if server is not None:
            self._env["DRAWTHINGS_SERVER"] = server
        self._pack = pack
        self._child: Child | None = None

    def __enter__(self) -> ComfyUI:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError("this ComfyUI is not running")
        return self._child

    def start(self) -> None:
        """Fill the folders, start the process, and wait for its first answer."""
        self._fill_base()
        env = {"PYTHONUNBUFFERED": "1", **self._env}
        if self.installation.stand_ins is not None:
            env["PYTHONPATH"] = str(self.installation.stand_ins)
        self._child = Child(
            "ComfyUI",
            [
                *(str(self.installation.python), "main.py", "--cpu"),
                *("--port", str(self.port)),
                *("--base-directory", str(self.base)),
                *("--database-url", "sqlite:///:memory:"),
                *self._front_end,
                "--disable-api-nodes",
                "--disable-all-custom-nodes",
                *("--whitelist-custom-nodes", self.pack_folder),
            ],
            log=self.log,
            cwd=self.installation.folder,
            env=env,
        )
        self._child.wait_until(self._answers, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """End the process and remove its folders."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        shutil.rmtree(self.base, ignore_errors=True)

    def client(self) -> Client:
        return Client(self.address)

    def _answers(self) -> bool:
        try:
            Http(self.address).get_json("/system_stats")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _fill_base(self) -> None:
        for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for picture in sorted(SAMPLE_PICTURES.glob("*.png")):
            shutil.copy(picture, self.base / "input")
        place = self.base / "custom_nodes" / self.pack_folder
        if os.name == "nt":  # links need a privilege there
            shutil.copytree(self._pack, place, ignore=NOT_COPIED)
        else:
            place.symlink_to(self._pack, target_is_directory=True)


def serve() -> None:
    """Run the simulator and ComfyUI side by side until Ctrl-C."""
    from .simulator_process import SimulatorProcess

    installation = find_or_install()
    own = installation.own_front_end
    page = None if own else front_end(FRONT_ENDS[0])
    with (
        SimulatorProcess(step_delay_s=0.2) as simulator,
        ComfyUI(
            installation, server=simulator.address, front_end=page, own_front_end=own
        ) as comfyui,
    ):
        print(f"simulator of a Draw Things server: {simulator.address}")
        print(f"ComfyUI log: {comfyui.log}")
        print(f"open {comfyui.address} in a browser; Ctrl-C stops both", flush=True)
        while comfyui.child.running and simulator.child.running:
            time.sleep(0.5)
        ended = simulator if comfyui.child.running else comfyui
        print(f"{ended.child.name} ended:\n{ended.child.tail()}", file=sys.stderr)


def run_python(arguments: list[str]) -> int:
    """Run ComfyUI's Python in ComfyUI's folder, with its modules and the stand-ins on the path."""
    installation = find_or_install()
    places = [installation.folder, installation.stand_ins, os.environ.get("PYTHONPATH")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(p) for p in places if p)}
    command = [str(installation.python), *arguments]
    return subprocess.run(command, cwd=installation.folder, env=env, check=False).returncode


def main() -> None:
    try:
        match sys.argv[1:]:
            case []:
                serve()
            case ["install"]:
                find_or_install()
            case ["python", *arguments]:
                sys.exit(run_python(arguments))
            case _:
                sys.exit(__doc__)
    except SetupError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()
