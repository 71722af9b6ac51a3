"""What pip installs."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import unipc

HANG = 60.0


def _run(*words: str, **options: object) -> str:
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=HANG, stdin=subprocess.DEVNULL, **options)
    return str(done.stdout)


def test_the_wheel_holds_everything() -> None:
    files = {str(path) for path in importlib.metadata.files("unipc") or []}
    for needed in ("_unipc.pyi", "py.typed", "__init__.py", "aio.py", "include/unipc.h", "include/unipc.hpp", "include/unipc/stream.hpp"):
        assert f"unipc/{needed}" in files
    libraries = [path for path in files if path.endswith(".so")]
    assert libraries == ["unipc/_unipc.abi3.so"]
    assert not any("__pycache__" not in path and path.endswith(".pyc") for path in files)
    assert importlib.metadata.version("unipc") == unipc.__version__
    assert any(path.endswith("LICENSE-MIT") for path in files)


def test_the_header_compiles(tmp_path: Path) -> None:
    program = tmp_path / "program.c"
    program.write_text("#include <unipc.h>\nint main(void) { return sizeof(unipc_mutex) == 128 ? 0 : 1; }\n")
    _run("cc", "-Wall", "-Werror", "-I", unipc.get_include(), str(program), "-o", str(tmp_path / "program"))
    _run(str(tmp_path / "program"))


def test_the_command_is_installed() -> None:
    command = str(Path(sys.executable).parent / "unipc")
    assert _run(command, "--version").split() == ["unipc", unipc.__version__]
    assert _run(sys.executable, "-m", "unipc", "--version") == _run(command, "--version")
    # Its second process is another Python.
    assert "pipe" in _run(command, "demo", "--only", "pipe", "--rounds", "10")
    assert subprocess.run([command, "nonsense"], capture_output=True, timeout=HANG, check=False).returncode == 2


def test_importing_it_imports_little() -> None:
    # These cost more than the 20 ms that an import may.
    heavy = {"asyncio", "ctypes", "inspect", "multiprocessing", "re", "socket", "subprocess", "typing"}
    code = "import sys; before = set(sys.modules); import unipc; print(*sorted(set(sys.modules) - before))"
    assert not heavy & set(_run(sys.executable, "-I", "-c", code, cwd="/").split())
