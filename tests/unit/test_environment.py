"""environment.yml, pyproject.toml and requirements.lock say the same."""

import tomllib

import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT


def project_dependencies() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def test_conda_environment_has_the_projects_dependencies():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [entry.split("=")[0].split(">")[0] for entry in conda if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert plain == ["python", "pip"]
    assert sorted([*pip, "pip"]) == sorted(project_dependencies())


def test_lock_pins_every_dependency_at_an_allowed_version():
    pins = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        requirement = Requirement(line)
        pins.setdefault(requirement.name.lower().replace("_", "-"), []).append(requirement)
    for text in project_dependencies():
        wanted = Requirement(text)
        found = pins[wanted.name.lower().replace("_", "-")]
        for pin in found:
            (version,) = [spec.version for spec in pin.specifier]
            assert wanted.specifier.contains(version), (text, version)
    # The CPU build of this version does not go together with torchvision.
    assert "2.13.0" not in {spec.version for pin in pins["torch"] for spec in pin.specifier}
