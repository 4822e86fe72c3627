"""Wheels of the source beside the tests, and the virtual environments that they are installed into."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[1]
THIRD_PARTY = SOURCE / "tests" / "third_party"
NEEDED_BEFORE_8_4 = ("pandas", "psutil", "py-cpuinfo", "setuptools<80", "tqdm")  # the newest has none of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A fresh virtual environment that borrows every package of ours but this project's."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        venv.create(folder, symlinks=True)
        environment = cls(folder=folder)
        borrowed = folder / "borrowed"
        borrowed.mkdir()
        for site in (Path(path) for path in sys.path if path.endswith("site-packages")):
            for entry in site.iterdir():
                if "hub_callbacks" not in entry.name and not (borrowed / entry.name).exists():
                    (borrowed / entry.name).symlink_to(entry)
        (environment.site / "zz_borrowed.pth").write_text(f"{borrowed}\n")  # the .pth files in there are not run
        return environment

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def install(self, wheel: Path) -> None:
        self.pip("install", "--no-deps", str(wheel))

    def pip(self, *args: str) -> None:
        run(sys.executable, "-m", "pip", "--python", str(self.bin / "python"), *args)

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_CALLBACKS_", "PYTHON"))}
        local = {"HUB_CALLBACKS_DATA_DIR": str(self.folder / "data")}
        return run(str(self.bin / "python"), *args, env=kept | local | dict(env or {}), cwd=self.folder)


def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed."""
    done = subprocess.run(args, capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done


def build_wheel(source: Path, target: Path) -> Path:
    flags = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []  # else pip fetches it
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", *flags, "--wheel-dir", str(target), str(source))
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's wheel, built from the source beside the tests."""
    return build_wheel(SOURCE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def spy_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The third-party plugin's wheel."""
    return build_wheel(THIRD_PARTY / "hub-callbacks-spy", tmp_path_factory.mktemp("spy"))


@pytest.fixture(scope="session")
def create_environment() -> Callable[[Path], Environment]:
    """Makes a fresh virtual environment in a folder."""
    return Environment.create


@pytest.fixture(scope="session")
def install_apart(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Installs packages, and nothing that they depend on, into a folder of their own."""

    @functools.cache
    def install(*packages: str) -> Path:
        folder = tmp_path_factory.mktemp("packages")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, *packages], check=True)
        return folder

    return install


@pytest.fixture(scope="session")
def ultralytics_env(install_apart: Callable[..., Path]) -> Callable[[str], dict[str, str]]:
    """Environment variables that put a release of Ultralytics before the one that is there, beside the same torch."""

    def env(release: str) -> dict[str, str]:
        numbers = tuple(map(int, release.split(".")))
        folder = install_apart(f"ultralytics=={release}", *(NEEDED_BEFORE_8_4 if numbers < (8, 4) else ()))
        path = {"PYTHONPATH": os.pathsep.join(map(str, (THIRD_PARTY / "patches", folder)))}
        return path | ({"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"} if numbers < (8, 3) else {})

    return env
