"""The viewer in a real browser: hostile text does nothing, live pages, keyboard, dark mode, no foreign request."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}
"""


@pytest.fixture(scope="module")
def chromium():
    """A running browser."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="browser tests need the package playwright"
    )
    if CHROMIUM is None:
        pytest.skip("browser tests need Chromium (Debian: chromium)")
    with playwright.sync_playwright() as driver:
        # The tests may run as root, where Chromium's own sandbox cannot; everything it opens is of this test.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Iterator[object]:
    """Opens pages and remembers what they did."""
    contexts = []

    def open_page(**options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        seen = SimpleNamespace(page=page, requests=[], console=[], dialogs=[], failed=[])
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.console.append(message.text))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("response", lambda answer: answer.status > 399 and seen.failed.append(answer.url))

        def dismiss(dialog):
            seen.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        return seen

    yield open_page
    for context in contexts:
        context.close()


def links(page):
    """Every page that a page links to, by kind: not the tenth candidate when one was seen."""
    hrefs = page.eval_on_selector_all("a[href^='/']", "all => all.map((a) => a.getAttribute('href'))")
    kinds = {re.sub(r"\d+|[0-9a-f]{64}", "n", href): href for href in hrefs if ".csv" not in href}
    return list(kinds.values())


def test_hostile_text_does_nothing_on_any_page(served, visit, hostile_database):
    base = served(hostile_database)
    seen = visit()
    page = seen.page
    page.goto(base)
    (campaign,) = [
        link for link in links(page) if link.startswith("/campaigns/") and not link.endswith("programs")
    ]
    for path in (
        "/",
        campaign,
        *(campaign + part for part in ("/programs", "/candidates/1", "/candidates/2", "/lineage?of=1")),
    ):
        page.goto(base + path)
        page.wait_for_load_state("networkidle")
        # What a reader may do to it: open everything, point at everything, take the focus everywhere.
        page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        page.evaluate(
            """() => document.querySelectorAll("body *").forEach((one) => {
                one.dispatchEvent(new MouseEvent("mouseover", {bubbles: true})); one.focus();
            })"""
        )
        assert page.evaluate("window.pwned") is None
        assert page.locator("script").count() == 1
    assert (seen.dialogs, seen.console, seen.failed) == ([], [], [])
    assert {url for url in seen.requests if not url.startswith(base + "/")} == set()


def test_even_a_script_that_got_into_a_page_would_be_refused(served, visit, small_database):
    seen = visit()
    seen.page.goto(served(small_database))
    seen.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=/x onerror='window.pwned = 2' style='width:7px'>");
        }"""
    )
    seen.page.wait_for_timeout(300)
    assert seen.page.evaluate("window.pwned") is None
    assert len([text for text in seen.console if "Content Security Policy" in text]) >= 2


def test_no_page_asks_another_origin(served, visit, small_database):
    base = served(small_database)
    seen = visit()
    todo, done = ["/"], set()
    while todo and len(done) < 14:
        path = todo.pop(0)
        seen.page.goto(base + path)
        done.add(path)
        todo += [link for link in links(seen.page) if link not in done and link not in todo]
    seen.page.wait_for_load_state("networkidle")
    assert len(done) >= 8
    assert {url for url in seen.requests if not url.startswith(base + "/")} == set()
    assert (seen.console, seen.failed) == ([], [])


def test_a_running_campaign_is_seen_without_a_reload(served, visit, live_store, making, make):
    with live_store.begin_campaign(make.spec("live")) as writer:
        making.baseline(writer)
        parent = make.record(writer, 0)
        for ordinal in range(1, 60):
            parent = making.candidate(writer, ordinal, parent)
        base = served(live_store_path(live_store))
        seen = visit(viewport={"width": 900, "height": 500})
        table = seen.page
        table.goto(f"{base}/campaigns/live/programs")
        table.evaluate("window.stayed = true")
        table.evaluate("window.scrollTo(0, 600)")
        table.locator("#row-30").focus(timeout=3000)
        table.evaluate("window.scrollTo(0, 600)")
        making.candidate(writer, 60, parent)
        table.wait_for_selector("#row-60", state="attached", timeout=20_000)
        assert table.evaluate("window.stayed") is True
        assert table.evaluate("document.activeElement.id") == "row-30"
        assert table.evaluate("window.scrollY") == 600

        campaign = visit().page
        campaign.goto(f"{base}/campaigns/live")
        campaign.locator("#run summary").click()
        before = campaign.locator("dd").first.inner_text()
        making.candidate(writer, 61, parent)
        campaign.wait_for_function(
            "old => document.querySelector('dd').innerText !== old", arg=before, timeout=20_000
        )
        assert campaign.locator("#run details").evaluate("one => one.open")
        assert campaign.locator(".status").inner_text() == "running"
    assert seen.console == []


def live_store_path(store):
    """The file behind a store."""
    with store.reading() as connection:
        return connection.exec_driver_sql("PRAGMA database_list").one()[2]


def test_a_server_that_was_stopped_is_said(served, visit, small_database):
    seen = visit()
    seen.page.goto(served(small_database))
    seen.page.route("**/changes*", lambda route: route.abort())
    seen.page.wait_for_function(
        "() => document.getElementById('link').innerText.includes('does not answer')", timeout=20_000
    )


def test_an_empty_database_fills_itself(served, visit, making, tmp_path):
    path = tmp_path / "evolve.db"
    path.touch()
    seen = visit()
    seen.page.goto(served(path))
    assert "evolve run --db" in seen.page.inner_text("main")
    making.small(path)
    seen.page.wait_for_selector("a[href='/campaigns/first']", timeout=20_000)
    assert seen.page.inner_text("h1") == "Campaigns"


def test_the_keyboard_is_enough(served, visit, small_database):
    base = served(small_database)
    page = visit().page
    page.goto(f"{base}/campaigns/first/programs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "sort-score":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=-score*")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("train")
    page.locator("#row-11").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/candidates/11")


def test_the_large_table_is_a_page_of_a_hundred_rows(served, visit, large_database):
    base = served(large_database)
    seen = visit()
    seen.page.goto(f"{base}/campaigns/large/programs?sort=-score")
    assert seen.page.locator("tbody tr").count() == 100
    seen.page.get_by_role("link", name="Next").click()
    seen.page.wait_for_url("**page=2**")
    assert "page 2 of 100" in seen.page.inner_text(".pager")
    assert seen.console == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_can_be_read_and_dark_is_dark(served, visit, small_database, scheme):
    base = served(small_database)
    page = visit(color_scheme=scheme).page
    for path in (
        "/",
        "/campaigns/first",
        "/campaigns/first/programs?outcome=ok",
        "/campaigns/first/candidates/2",
    ):
        page.goto(base + path)
        page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        assert page.evaluate(CONTRAST) == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        dark = max(int(part) for part in re.findall(r"\d+", ground)) < 60
        assert dark == (scheme == "dark")


@pytest.mark.parametrize("database", ["small_database", "hostile_database"])
def test_a_phone_needs_no_sideways_scrolling(served, visit, request, database):
    base = served(request.getfixturevalue(database))
    page = visit(viewport={"width": 390, "height": 800}).page
    page.goto(base)
    campaign = page.locator("th a").first.get_attribute("href")
    for path in (
        "/",
        campaign,
        *(campaign + part for part in ("/programs", "/candidates/1", "/lineage?of=1")),
    ):
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_pages_are_whole_without_the_script(served, visit, small_database):
    base = served(small_database)
    page = visit(java_script_enabled=False).page
    page.goto(f"{base}/campaigns/first/programs")
    page.get_by_role("link", name="train").click()
    assert page.url.endswith("sort=-score")
    page.goto(base)
    page.get_by_label("compare first").check()
    page.get_by_label("compare second").check()
    page.get_by_role("button", name="Compare chosen campaigns").click()
    page.wait_for_url("**/compare/**")
    assert page.locator("table tbody tr").count() == 2
