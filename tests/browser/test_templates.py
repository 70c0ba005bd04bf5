"""The template browser, as a user finds our examples in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from canvas import Canvas
from drawthings.tools.example_graphs import INPAINTING, MIXED, WORKFLOWS, Workflow
from playwright.sync_api import Locator, Response, expect

LOADED = "image => image.complete && image.naturalWidth > 0"


def card(canvas: Canvas, title: str) -> Locator:
    return canvas.page.get_by_test_id(f"template-workflow-{title}")


@pytest.fixture
def templates(canvas: Canvas) -> Iterator[Canvas]:
    """The open template browser, for which the server had everything."""
    refused: list[str] = []

    def look(response: Response) -> None:
        if response.status >= 400 and "workflow_templates" in response.url:
            refused.append(response.url)

    canvas.page.on("response", look)
    canvas.page.evaluate("() => void app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    yield canvas
    canvas.page.remove_listener("response", look)
    assert refused == []


def test_all_nine_are_there_with_title_and_picture(templates: Canvas) -> None:
    assert len(WORKFLOWS) == 9
    for workflow in WORKFLOWS:
        shown = card(templates, workflow.title)
        shown.scroll_into_view_if_needed()
        expect(shown.get_by_text(workflow.title, exact=True).first).to_be_visible()
        picture = shown.locator("img").first
        expect(picture).to_be_visible()
        handle = picture.element_handle()
        assert handle is not None
        templates.page.wait_for_function(LOADED, arg=handle)
    templates.screenshot("templates")


@pytest.mark.parametrize("workflow", [INPAINTING, MIXED], ids=lambda workflow: workflow.name)
def test_a_click_opens_the_graph_with_the_pictures_that_it_starts_from(
    templates: Canvas, workflow: Workflow
) -> None:
    pictures = ["dusk_lake.png", *(["dusk_lake_mask.png"] if workflow is INPAINTING else [])]
    for name in pictures:  # as with a ComfyUI that never saw them
        (templates.input_folder / name).unlink(missing_ok=True)
    templates.page.evaluate("app.refreshComboInNodes()")
    card(templates, workflow.title).click()

    kinds = sorted([*(node.kind for node in workflow.nodes), "MarkdownNote"])
    templates.page.wait_for_function(
        "kinds => JSON.stringify(app.graph._nodes.map(node => node.type).sort())"
        " === JSON.stringify(kinds)",
        arg=kinds,
    )
    expect(templates.page.get_by_test_id("template-workflows-content")).to_have_count(0)
    assert workflow.title in templates.page.title()
    shown = templates.page.wait_for_function(
        """names => {
            const loaders = app.graph._nodes.filter(node => node.type.startsWith('LoadImage'))
            return names.length === loaders.length
                && loaders.every(node => names.includes(node.widgets[0].value))
        }""",
        arg=pictures,
    )
    assert shown
    assert [name for name in pictures if not (templates.input_folder / name).is_file()] == []
    assert templates.troubles() == []
