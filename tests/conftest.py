"""What the tests share: where the reference material is."""

import importlib.util
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def wide() -> Iterator[None]:
    """Tables as wide as in a file, however wide the terminal of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def same_code() -> Iterator[None]:
    """Programs that tests start run the package that is tested, in whatever folder they start."""
    import vein2vein

    home, before = str(Path(vein2vein.__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([home, *filter(None, [before])]))
        yield


@pytest.fixture
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device that is always full, to be aimed at with force.

    The system's own is safe from whoever may not write its folder. Who may (root) gets one that nobody misses, so that
    a defect of the code under test cannot take the device of the whole machine away.
    """
    system = Path("/dev/full")
    if not system.is_char_device():
        pytest.skip("no /dev/full on this system")
    if not os.access(system.parent, os.W_OK):
        return system
    own = tmp_path_factory.mktemp("device") / "full"
    try:
        os.mknod(own, 0o666 | stat.S_IFCHR, system.stat().st_rdev)
    except OSError:
        pytest.skip("may write the folder of the devices, but not make one to try on")
    return own


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("VEIN2VEIN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"reference material not found at {folder}; set VEIN2VEIN_SHARED")
    return folder


settings.register_profile("continuous", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", deadline=None)
# Continuous integration runs the same examples every time; a person's run looks for new ones.
settings.load_profile("continuous" if os.environ.get("CI") else "exploring")


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its records can be pickled
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The module that makes journeys that were never simulated."""
    return _load("synthetic")


@pytest.fixture(scope="session")
def hand() -> ModuleType:
    """The module that writes journeys by hand."""
    return _load("hand_journey")


@pytest.fixture
def journey(hand: ModuleType) -> object:
    """Six patients written by hand, so that every endpoint has an answer one can count."""
    return hand.hand_journey()


@pytest.fixture(scope="session")
def stein() -> ModuleType:
    """A small study that is made by Stein's closed form."""
    return _load("stein_study")


@pytest.fixture(scope="session")
def stein_csv(stein: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its file."""
    return stein.write_csv(tmp_path_factory.mktemp("stein") / "study.csv")


@pytest.fixture(scope="session")
def stein_fit(stein: ModuleType, stein_csv: Path):
    """A short fit of it, with three seeds."""
    from vein2vein.report.fitted import fit

    return fit(stein.problem(stein_csv, seeds=2))
