"""What is published: one list of dependencies, a valid version, files where ComfyUI looks."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest
from drawthings import dt_core
from drawthings.tools.demo import SHOWS, example_prompt, graph_file
from drawthings.tools.example_graphs import TITLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXAMPLES = ROOT / "example_workflows"
# ComfyUI brings these in the builds that fit the machine; a pack may not touch them.
NOT_OURS = {"torch", "torchvision", "torchaudio", "comfyui"}


def requirements(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_requirements_txt_and_pyproject_list_the_same() -> None:
    assert requirements("requirements.txt") == PROJECT["project"]["dependencies"]


def test_no_dependency_is_comfyuis_or_has_an_upper_bound() -> None:
    for requirement in PROJECT["project"]["dependencies"]:
        specifier = requirement.partition(";")[0]
        name = re.match(r"[A-Za-z0-9_-]+", specifier)
        assert name is not None
        assert name.group().lower() not in NOT_OURS
        assert not re.search(r"<|==|~=", specifier)


def test_the_version_has_three_numbers_and_the_name_is_free_of_comfyui() -> None:
    project = PROJECT["project"]

    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert "comfyui" not in project["name"].lower()
    assert len(project["name"]) < 100


def test_the_page_tells_the_same_version() -> None:
    source = (ROOT / "web" / "features" / "preferences.mjs").read_text(encoding="utf-8")

    assert f"const VERSION = '{PROJECT['project']['version']}'" in source


def test_the_library_tells_the_same_version() -> None:
    assert dt_core.__version__ == PROJECT["project"]["version"]


def test_the_web_folder_is_declared_once() -> None:
    """Declared twice, ComfyUI serves it twice and the second copy fails."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    values = {
        target.id: ast.literal_eval(statement.value)
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }

    assert values["WEB_DIRECTORY"] == "./web"
    assert "web" not in PROJECT["tool"]["comfy"]


def test_the_changelog_and_the_policy_know_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    policy = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert PROJECT["project"]["version"] in changelog
    assert "## [Unreleased]" in changelog
    assert "test_schemas.py" in policy


def test_exactly_one_fpzip_is_asked_for_on_every_python() -> None:
    """Two packages bring the import name fpzip; together they overwrite each other."""
    asked = [line for line in PROJECT["project"]["dependencies"] if "fpzip" in line]
    markers = {line.partition(";")[2].strip() for line in asked}

    assert len(asked) == 2
    assert markers == {"python_version < '3.14'", "python_version >= '3.14'"}


@pytest.mark.parametrize("name", SHOWS)
def test_every_example_has_a_thumbnail_a_script_form_and_its_pictures(name: str) -> None:
    example = graph_file(name)
    prompt = example_prompt(name)
    graph = json.loads(example.read_text(encoding="utf-8"))
    kinds = {node["class_type"] for node in prompt.values()}
    pictures = {
        node["inputs"]["image"] for node in prompt.values() if node["class_type"][:4] == "Load"
    }

    assert example.with_suffix(".jpg").read_bytes().startswith(b"\xff\xd8")
    assert kinds == {node["type"] for node in graph["nodes"]} - {"MarkdownNote"}
    for picture in pictures:
        assert 0 < (example.parent / "input" / picture).stat().st_size < 150_000


def test_nothing_but_the_examples_is_in_the_template_browser() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(TITLES.values())
    assert {path.stem for path in EXAMPLES.glob("*.jpg")} == set(TITLES.values())
    assert {path.stem for path in (EXAMPLES / "api").glob("*.json")} == set(TITLES)
    assert list(SHOWS) == list(TITLES)
