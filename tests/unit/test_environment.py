"""environment.yml, pyproject.toml and the locks say the same, and everything that is installed has
its checksum."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT

LOCKS = ("requirements.lock", "requirements-source.lock")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock: str) -> list[str]:
    """Each pin with its hashes, on one line."""
    lines = [line for line in (ROOT / lock).read_text().splitlines() if not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def pins(*locks: str) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for entry in (entry for lock in locks for entry in entries(lock)):
        requirement = Requirement(entry.partition("--hash")[0])
        found.setdefault(requirement.name.lower().replace("_", "-"), []).append(requirement)
    return found


def test_conda_environment_has_the_projects_dependencies():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [entry.split("=")[0].split(">")[0] for entry in conda if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert plain == ["python", "pip"]
    assert sorted([*pip, "pip"]) == sorted(project()["project"]["dependencies"])


def test_locks_pin_every_dependency_at_an_allowed_version():
    pinned = pins(*LOCKS)
    build = [*project()["build-system"]["requires"], *project()["dependency-groups"]["build"]]
    for text in [*project()["project"]["dependencies"], *build]:
        wanted = Requirement(text)
        for pin in pinned[wanted.name.lower().replace("_", "-")]:
            (spec,) = pin.specifier
            assert spec.operator == "==" and wanted.specifier.contains(spec.version), (text, spec)
    # The CPU build of this version does not go together with torchvision.
    assert "2.13.0" not in {spec.version for pin in pinned["torch"] for spec in pin.specifier}
    assert not pins(LOCKS[0]).keys() & pins(LOCKS[1]).keys()


@pytest.mark.case(
    "hostile",
    "a package of the environment is replaced on its way (another file under the same version)",
    "every pin of the locks has sha256 hashes, and nothing is installed or built without them",
)
def test_everything_that_is_installed_has_a_checksum():
    for entry in (entry for lock in LOCKS for entry in entries(lock)):
        assert re.fullmatch(
            r"[a-z0-9.-]+==[^ ]+( ; [^\\]+?)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+", entry
        ), entry[:200]
    recipe = (ROOT / "Makefile").read_text().partition(".venv/ready:")[2].partition("\n\n")[0]
    wheels, source, own = [line for line in recipe.splitlines() if " install " in line]
    assert "--require-hashes --only-binary :all: -r requirements.lock" in wheels
    assert "--require-hashes --no-build-isolation -r requirements-source.lock" in source
    # built with what is locked, not with what is newest
    assert "--no-build-isolation --no-deps -e ." in own
    assert recipe.index(own) < recipe.index("check\n")
