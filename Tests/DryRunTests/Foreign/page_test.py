"""Opens the dry run's pages, as they are in ../Golden, in a real browser (headless Chromium).

On a phone, a tablet and a desktop, in light and in dark: nothing on the console, no request but the file itself,
no scrolling to the side, no text that is cut off, that lies over another or that is hard to read.

    PENSTOCK_BROWSER        the browser's program; /usr/bin/chromium otherwise
    PENSTOCK_SCREENSHOTS    a folder for pictures of every page, to look at
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

PAGES = sorted((Path(__file__).parent.parent / "Golden").glob("*.html"))
WIDTHS = [360, 768, 1280]
SCHEMES = ["light", "dark"]
AUDIT = (Path(__file__).parent / "audit.js").read_text()


@pytest.fixture(scope="session")
def browser():
    program = os.environ.get("PENSTOCK_BROWSER", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        # Its sandbox needs a user who is not root, or rights that a container does not have.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page with everything folded out, and what the browser said and asked for while it opened it."""

    def __init__(self, browser, path, width=1280, scheme="light"):
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.url = Path(path).as_uri()
        self.page.goto(self.url, wait_until="load")
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    def faults(self):
        return self.page.evaluate(AUDIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.close()


def test_there_are_pages():
    assert {"day.html", "comparison.html", "hostile.html"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_is_sound(browser, path, width, scheme):
    with Opened(browser, path, width, scheme) as opened:
        if folder := os.environ.get("PENSTOCK_SCREENSHOTS"):
            opened.page.screenshot(path=f"{folder}/{path.stem}-{width}-{scheme}.png", full_page=True)
        assert opened.said == []
        assert opened.asked == [opened.url]
        assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert opened.faults() == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_is_accessible(browser, path):
    with Opened(browser, path) as opened:
        page = opened.page
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.locator("h1").count() == 1
        assert page.title().startswith("Dry run of ")
        assert page.locator("svg.picture:not([role=img][aria-label])").count() == 0
        # Whatever names something by id names one thing that exists.
        assert page.evaluate(
            """[...document.querySelectorAll('[aria-labelledby]')].filter(element =>
                document.querySelectorAll('#' + element.getAttribute('aria-labelledby')).length !== 1).length"""
        ) == 0
        assert page.locator("th:not([scope])").count() == 0


def test_dark_is_dark(browser):
    def lightness(scheme):
        with Opened(browser, PAGES[0], scheme=scheme) as opened:
            colour = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
            return sum(int(part) for part in colour.strip("rgb()").split(","))

    assert lightness("light") > 700 and lightness("dark") < 100


def test_tooltips_tell_what_happened(browser):
    path = next(page for page in PAGES if page.stem == "day")
    with Opened(browser, path) as opened:
        titles = opened.page.locator(".places title").all_text_contents()
        assert len(titles) > 50
        assert any("by count" in title for title in titles) and any("by max_age" in title for title in titles)


BREAKAGES = {
    "a label pushed outside": "document.querySelector('svg.picture text').setAttribute('x', '-30')",
    "a label over another": "const t = document.querySelectorAll('svg.picture text'); t[1].setAttribute('class', '');"
    "t[1].setAttribute('x', '20')",
    "a label too long": "document.querySelector('svg.picture text').textContent = 'long '.repeat(90)",
    "a pale text": "document.querySelector('figcaption').style.color = '#bbb'",
    "a text that is cut off": "const h = document.querySelector('h1'); h.style.cssText ="
    "'width:40px; white-space:nowrap; overflow:hidden'",
}


@pytest.mark.parametrize("breakage", BREAKAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_audit_finds(browser, breakage, width):
    path = next(page for page in PAGES if page.stem == "day")
    with Opened(browser, path, width) as opened:
        opened.page.evaluate("() => { " + BREAKAGES[breakage] + " }")
        assert opened.faults() != []


def test_policy_forbids_scripts_and_pictures(browser, tmp_path):
    path = next(page for page in PAGES if page.stem == "day")
    planted = tmp_path / "planted.html"
    planted.write_text(
        path.read_text().replace(
            "<main>", "<main><script>document.title = 'ran'</script><img alt='' src='https://example.org/x.png'>"))
    with Opened(browser, planted) as opened:
        assert opened.page.title() != "ran"
        assert opened.said != []
