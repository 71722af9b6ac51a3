"""Every public name is documented, has its types, and is found."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import pydoc
import re
from pathlib import Path
from types import ModuleType

import pytest

import unipc
import unipc.aio

MODULES = [unipc, unipc.aio]


def _public(kind: type) -> dict[str, object]:
    return {name: getattr(kind, name) for base in kind.__mro__[:-1] for name in vars(base) if not name.startswith("_")}


def _texts() -> dict[str, str | None]:
    texts: dict[str, str | None] = {}
    for module in MODULES:
        for name in set(module.__all__) - {"__version__"}:
            thing = getattr(module, name)
            texts[f"{module.__name__}.{name}"] = inspect.getdoc(thing)
            # Of numbers help shows the value; their comment is in the source.
            attributes = _public(thing) if isinstance(thing, type) and not issubclass(thing, BaseException) else {}
            documented = {key: value for key, value in attributes.items() if not isinstance(value, int)}
            texts |= {f"{module.__name__}.{name}.{key}": inspect.getdoc(value) for key, value in documented.items()}
    return texts


def test_everything_is_documented() -> None:
    texts = _texts()
    assert len(texts) > 500
    assert [name for name, text in texts.items() if not text or not text.strip().endswith((".", "`.", "):", '"'))] == []
    assert all(module.__doc__ for module in MODULES)
    # In a terminal help is not wrapped.
    long = {name: line for name, text in texts.items() for line in (text or "").splitlines() if len(line) > 100}
    assert long == {}
    assert [line for module in MODULES for line in (module.__doc__ or "").splitlines() if len(line) > 100] == []


def test_what_waits_says_how_that_fails() -> None:
    told = re.compile(r"BlockingIOError|[Ee]rrors\s+as")
    silent = []
    for name in unipc.__all__:
        thing = getattr(unipc, name)
        for key, value in (_public(thing) if isinstance(thing, type) else {"": thing}).items():
            if (
                callable(value)
                and "timeout=None" in (getattr(value, "__text_signature__", None) or "")
                and not told.search(value.__doc__ or "")
            ):
                silent.append(f"{name}.{key}")
    assert silent == []


def test_makers_name_their_source() -> None:
    """A class, or what makes its objects, tells the manual page."""
    unsourced = []
    for name in unipc.__all__:
        thing = getattr(unipc, name)
        if not isinstance(thing, type) or not any(key in vars(thing) for key in ("close", "from_buffer")):
            continue
        texts = [thing.__doc__ or "", *(getattr(value, "__doc__", "") or "" for value in _public(thing).values())]
        if not any("Source: " in text for text in texts):
            unsourced.append(name)
    # Framing is this library's own.
    assert unsourced == ["Framed"]


def _stubs() -> dict[str, set[str]]:
    files = {str(path): path for path in importlib.metadata.files("unipc") or []}
    tree = ast.parse(Path(str(files["unipc/_unipc.pyi"].locate())).read_text())
    found: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
            names += [item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
            found[node.name] = {name for name in names if not name.startswith("_")}
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = set()
    return found


def test_every_name_has_its_types_and_no_other() -> None:
    stubs = _stubs()
    for name, thing in vars(unipc._unipc).items():
        if name.startswith("__"):
            continue
        assert name in stubs, name
        if isinstance(thing, type):
            assert stubs[name] == set(_public(thing)), name
    assert {name for name in stubs if not hasattr(unipc._unipc, name)} == {"_HasFileno"}
    exported = set(unipc.__all__)
    assert {name for name in stubs if not name.startswith("_")} - exported == {"main"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_what_is_public_is_found(module: ModuleType) -> None:
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    page = pydoc.plain(pydoc.render_doc(module))
    for name in set(module.__all__) - {"__version__"}:
        assert name in page
    with pytest.raises(AttributeError, match="c_nothing"):
        _ = module.c_nothing


def _waiting_calls(kind: type) -> set[str]:
    return {key for key, value in _public(kind).items() if "timeout=None" in (getattr(value, "__text_signature__", None) or "")}


def test_every_waiting_class_has_a_twin_or_belongs_to_threads() -> None:
    kinds = {name: kind for name in unipc.__all__ if isinstance(kind := getattr(unipc, name), type)}
    waiting = {name: calls for name, kind in kinds.items() if (calls := _waiting_calls(kind))}
    twins = set(unipc.aio.__all__)
    assert waiting.keys() - twins == {"Atomic", "Barrier", "Condvar", "Mutex", "RwLock", "Spinlock"}
    for name in waiting.keys() & twins:
        assert waiting[name] <= set(dir(getattr(unipc.aio, name))), name
