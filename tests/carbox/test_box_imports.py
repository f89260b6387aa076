import ast
from collections.abc import Iterator
from pathlib import Path

import carbox
from carbox.box import BoxListener, CarBox
from carbox.ovms import OvmsBoxes
from carbox.simulator.box import BoxSettings

PACKAGE = Path(carbox.__file__).parent
MODULES = {
    ".".join(("carbox", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}
DRIVER = ("carbox.ovms", "carbox.mqtt_link", "carbox.box", "carbox.readings")
"""The driver and what it is made of; names that begin so belong to it (`carbox.ovms_box`)."""


def test_the_simulator_reaches_nothing_of_the_driver_by_any_way() -> None:
    """The sheet lets box and driver share the verifier of offline grants alone, which imports neither."""
    for name in sorted(MODULES):
        if name.startswith("carbox.simulator"):
            assert [found for found in reached(name) if is_driver(found)] == [], name


def test_the_driver_reaches_nothing_of_the_simulator_by_any_way() -> None:
    for name in sorted(MODULES):
        if not name.startswith("carbox.simulator"):
            assert [found for found in reached(name) if found.startswith("carbox.simulator")] == [], name


def test_the_door_knows_libraries_only() -> None:
    ours = {"app", "payments", "insurance", "notifications", "flask", "sqlalchemy", "tests"}
    for name, file in MODULES.items():
        assert not {found.split(".")[0] for found in imports(file)} & ours, name


def test_the_look_at_imports_sees_every_way_to_write_one(tmp_path: Path) -> None:
    file = tmp_path / "any.py"
    file.write_text(
        "import carbox.ovms\nfrom carbox import box\nfrom carbox.readings import Value\n"
        "def late():\n    import importlib\n    importlib.import_module('carbox.mqtt_link')\n"
    )
    assert {name for name in imports(file) if is_driver(name)} >= {
        "carbox.ovms",
        "carbox.box",
        "carbox.readings",
        "carbox.mqtt_link",
    }
    assert not is_driver("carbox.simulator.box")


def test_the_driver_is_a_car_box() -> None:
    promised = {name for name in vars(CarBox) if not name.startswith("_")}
    assert promised <= set(dir(OvmsBoxes))
    assert BoxListener is not None


def test_settings_of_a_box_show_no_secret() -> None:
    shown = repr(BoxSettings("h", 1, "u", "wrong", pin="4711"))
    assert "wrong" not in shown
    assert "4711" not in shown


def is_driver(name: str) -> bool:
    return name.startswith(DRIVER)


def reached(name: str) -> set[str]:
    """All modules of the package that importing this one brings in."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        fresh = {each for each in imports(MODULES[ahead.pop()]) if each in MODULES} - found
        found |= fresh
        ahead += fresh
    return found


def imports(file: Path) -> set[str]:
    """What a file names in its imports; for `from a import b` both `a` and `a.b`; and names given as text."""
    return set(_imports(ast.parse(file.read_text("utf-8"))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their package in full"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in MODULES:
            yield node.value
