"""registry.scan: exactly one record a file, or it raises."""

import sys

import pytest

from stress import registry
from stress.roles._role import Role


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes files into a fresh package and imports it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, **files):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for stem, text in files.items():
            (folder / f"{stem}.py").write_text("from stress.roles._role import Role\n" + text)
        return __import__(name)

    before = set(sys.modules)
    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_one_record_a_file_in_order_of_names(package):
    found = registry.scan(package("pack_good", b="ROLE = Role('b', '', print)", a="ROLE = ALIAS = Role('a', '', print)", _helper=""), Role)
    assert [(name, role.name) for name, role in found.items()] == [("a", "a"), ("b", "b")]


@pytest.mark.parametrize(("name", "text"), [("pack_none", "ROLE = 1"), ("pack_two", "A, B = Role('a', '', print), Role('b', '', print)")])
def test_none_or_two_records_raise(package, name, text):
    with pytest.raises(registry.RegistryError, match=r"\.only: needs exactly one module-level Role, found [02]"):
        registry.scan(package(name, only=text), Role)


@pytest.mark.parametrize(("name", "text"), [("pack_syntax", "def f(:"), ("pack_name", "ROLE = nosuch"), ("pack_value", "int('x')")])
def test_a_file_that_cannot_be_imported_is_reported_in_one_line(package, name, text):
    with pytest.raises(registry.RegistryError, match=rf"/{name}/only\.py:2: \w+Error: ") as caught:
        registry.scan(package(name, only=text), Role)
    assert "\n" not in str(caught.value)
