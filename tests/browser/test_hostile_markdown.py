"""What a model says is shown, never obeyed: nothing runs, nothing foreign is loaded, nothing hangs.

That no foreign address was asked and that the policy had nothing to forbid is checked after every test (`watch`).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Visitor, ask, source, turns

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

WATCH_THE_CLOCK = """() => {
    window.ran = false;
    window.alert = () => { window.ran = true; };
    window.longestPause = 0;
    let before = performance.now();
    setInterval(() => {
        const now = performance.now();
        window.longestPause = Math.max(window.longestPause, now - before);
        before = now;
    }, 20);
}"""
LONGEST_PAUSE_MS = 2_000
FORBIDDEN = "script, style, img, svg, iframe, object, embed, form, input, link, meta, base, video, audio, math"
HREFS = "links => links.map(link => link.getAttribute('href'))"
HANDLERS = "elements => elements.flatMap(one => one.getAttributeNames()).filter(name => /^on|^style$|^src/.test(name))"

SNIPPETS = {
    "script": "<script>window.ran = true</script>",
    "image with a handler": '<img src=x onerror="window.ran = true">',
    "svg": '<svg onload="window.ran = true"><script>window.ran = true</script></svg>',
    "style": "<style>body { display: none } @import url(http://203.0.113.7/a.css);</style>",
    "frame": '<iframe srcdoc="<script>parent.ran = true</script>" src="http://203.0.113.7/"></iframe>',
    "form": '<form action="http://203.0.113.7/"><input name="password" autofocus onfocus="window.ran = true"></form>',
    "details": '<details open ontoggle="window.ran = true"><summary>x</summary></details>',
    "math": '<math><mtext><table><mglyph><style><img src=x onerror="window.ran = true">',
    "base": '<base href="http://203.0.113.7/"><meta http-equiv="refresh" content="0; url=http://203.0.113.7/">',
    "image": "![beacon](http://203.0.113.7/b.png?who=you) ![](//203.0.113.7/c.png)",
    "image by reference": "![beacon][there]\n\n[there]: http://203.0.113.7/b.png",
    "image as data": "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+)",
    "script link": "[click](javascript:alert(1)) <javascript:alert(1)>",
    "script link in disguise": "[a](&#106;avascript:alert(1)) [b](java\tscript:alert(1)) [c](JaVaScRiPt:alert(1)) "
    "[d](\x01javascript:alert(1)) [e](javascript&colon;alert(1)) [f](<java\nscript:alert(1)>)",
    "data link": "[d](data:text/html,<script>alert(1)</script>) [v](vbscript:x) [f](file:///etc/passwd)",
    "link by reference": "[click][here]\n\n[here]: javascript:alert(1)",
    "title that breaks out": "[x](http://203.0.113.7/ \"' onmouseover='window.ran = true\")",
    "code": '```html"><img src=x onerror=alert(1)>\n<script>window.ran = true</script>\n```\n\n`<img src=x>`',
    "table": "| <img src=x onerror=alert(1)> | [x](javascript:alert(1)) |\n|---|---|\n| <svg/onload=alert(1)> | y |",
}
WILD = {
    "nested quotes": ">" * 10_000 + " deep",
    "spaced quotes": "> " * 120 + "deep",
    "nested brackets": "[" * 10_000 + "x" + "]" * 10_000,
    "links in links": "[a](" * 5_000,
    "emphasis": "*a_ " * 60 + "*" * 10_000 + "a" + "_" * 10_000,
    "images in images": "![" * 10_000,
    "nested lists": "".join(f"{'  ' * depth}- x\n" for depth in range(60)),
    "backticks": "`" * 9_999 + "a" + "`" * 9_998,
    "entities": "&amp;" * 10_000,
    "one long table row": "|a" * 5_000 + "|\n" + "|-" * 5_000 + "|\n",
    "angle brackets": "<" * 10_000 + "a>" * 5_000,
    "tildes and fences": "~~~\n" * 40 + "```\n" * 41,
}


@pytest.fixture
def page(enter: "Callable[..., Page]", visitor: Visitor) -> "Iterator[Page]":
    page = enter(visitor)
    page.add_init_script(f"({WATCH_THE_CLOCK})()")
    page.reload()
    yield page
    assert page.evaluate("window.ran") is False
    assert page.evaluate("window.longestPause") < LONGEST_PAUSE_MS


def assert_harmless(answer: "Locator") -> None:
    assert answer.locator(FORBIDDEN).count() == 0
    assert answer.locator("*").evaluate_all(HANDLERS) == []
    for href in answer.locator("a").evaluate_all(HREFS):
        assert href.startswith(("http://203.0.113.7/", "https:", "mailto:")), href
    for link in answer.locator("a").all():
        expect(link).to_have_attribute("target", "_blank")
        expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_html_and_links_that_want_to_run_are_text(page: "Page") -> None:
    text = "\n\n".join(f"## {name}\n\n{snippet}\n\nAfter {name}." for name, snippet in SNIPPETS.items())
    turn = ask(page, f"say exactly: {text}")
    assert source(turn) == text
    answer = turn.locator(".prose")
    for name in SNIPPETS:
        expect(answer.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(answer).to_contain_text(f"After {name}.")
    assert_harmless(answer)

    page.reload()

    expect(answer.get_by_role("heading")).to_have_count(len(SNIPPETS))
    assert_harmless(answer)
    assert page.evaluate("getComputedStyle(document.body).display") == "grid"


def test_hostile_words_of_the_reader_are_text_too(page: "Page") -> None:
    text = "say exactly: " + "\n".join(SNIPPETS.values())
    question = ask(page, text).locator(".question")
    assert question.text_content() == text
    assert question.locator("*").count() == 0

    title = "<img src=x onerror=alert(1)>"
    page.locator("#title").fill(title)
    page.locator("#title").press("Enter")
    expect(page.locator("#list .row .name")).to_have_text(title)
    page.reload()
    expect(page.locator("#list .row .name")).to_have_text(title)


def test_an_image_is_a_link_that_opens_a_new_tab(page: "Page") -> None:
    answer = ask(page, f"say exactly: {SNIPPETS['image']}").locator(".prose")

    expect(answer.locator("a").first).to_have_text("beacon")
    expect(answer.locator("a").first).to_have_attribute("href", "http://203.0.113.7/b.png?who=you")


@pytest.mark.parametrize("half", [0, 1], ids=["one half", "other half"])
def test_text_made_to_hang_a_page_does_not(page: "Page", half: int) -> None:
    texts = [f"{name}: {wild}\n\nThe end." for name, wild in [*WILD.items()][half::2]]
    for text in texts:
        answer = ask(page, f"say exactly: {text}").locator(".prose")
        expect(answer).to_contain_text("The end.")
        assert_harmless(answer)

    page.reload()

    expect(page.locator("#transcript .prose")).to_have_count(len(texts))
    assert [source(turn) for turn in turns(page).all()] == texts
    assert_harmless(page.locator("#transcript .prose"))
