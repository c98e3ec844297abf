"""The pages in a real browser: for every eye and hand, and for nobody else's servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from .conftest import VIEWS, Browser, World

pytestmark = pytest.mark.browser

Browse = Callable[..., Browser]
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def pages(world: World) -> list[tuple[str, str]]:
    """Return the URL of each kind of page, with the heading it has for who is signed in."""
    auth, tasks, archives = (world.urls[name] for name in ("auth", "tasks", "archives"))
    return [
        (f"{tasks}/", "Tasks"),
        (f"{tasks}/tasks", "Tasks"),
        (f"{tasks}/tasks?sort=-title&limit=2&done=false", "Tasks"),
        (f"{tasks}/tasks?limit=0", "Invalid parameter"),
        (f"{tasks}/nothing", "Not found"),
        (f"{tasks}/problems/stale", "Problem type"),
        (f"{archives}/archives", "Archives"),
        (f"{auth}/", "Auth"),
        (f"{auth}/users", "Users"),
    ]


@pytest.fixture
def two_tasks(browse: Browse, world: World) -> str:
    """Make two tasks, by the pages; return the URL of one."""
    browser = browse()
    url = ""
    for title in ("Write the minutes", HOSTILE[:100]):
        browser.open(f"{world.urls['tasks']}/tasks")
        if not browser.all("[data-sign-out]"):
            browser.sign_in()
        browser.heading("Tasks")
        browser.click("details.write summary")
        browser.fill("#post_task_list-title", title)
        browser.click("details.write button.primary")
        browser.heading("Task")
        url = browser.driver.current_url
    return url


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_is_accessible_whole_and_asks_nobody_else(
    browse: Browse, world: World, two_tasks: str, view: str
) -> None:
    browser = browse(view)
    for name in world.urls:
        browser.open(f"{world.urls[name]}/")
        assert browser.violations() == []
        browser.sign_in()
    for url, heading in [*pages(world), (two_tasks, "Task")]:
        browser.open(url)
        browser.heading(heading)
        for details in browser.all("main details:not([open]) > summary"):
            details.click()
        assert browser.violations() == [], url
        assert browser.overflow() <= 0, url
    assert browser.complaints() == []
    assert browser.requests() <= set(world.urls.values())


@pytest.mark.parametrize("view", VIEWS)
def test_long_words_push_nothing_out_of_sight(
    browse: Browse, world: World, two_tasks: str, view: str
) -> None:
    browser, url = browse(view), f"{two_tasks}/attachments"
    browser.open(two_tasks)
    browser.sign_in()
    made = browser.driver.execute_async_script(
        """const [url, done] = arguments;
        const token = JSON.parse(sessionStorage.getItem("glassware.session")).token;
        fetch(url, { method: "PUT", body: "x", headers: { Authorization: `Bearer ${token}` } })
            .then(answer => done(answer.status))""",
        f"{url}/minutes.txt",
    )
    assert made in (201, 204)
    browser.open(url)
    browser.heading("Attachments")
    table = "const table = document.querySelector('.scroll');"
    assert browser.js(f"{table} return table.scrollWidth - table.clientWidth") == 0
    assert len(browser.one(".scroll .unbroken").text) == 64


@pytest.mark.parametrize("view", VIEWS)
def test_docs_are_accessible_and_try_requests_with_the_token(
    browse: Browse, world: World, view: str
) -> None:
    browser = browse(view)
    browser.open(f"{world.urls['tasks']}/docs")
    browser.sign_in()
    for operation in ("get_task_list", "post_task_list", "patch_task"):
        browser.click(f"#operations-tasks-{operation} .opblock-summary-control")
    browser.click("#operations-tasks-get_task_list .btn.execute")
    status = "#operations-tasks-get_task_list .live-responses-table tbody .response-col_status"
    browser.until(lambda: browser.one(status).text.startswith("200"))
    assert browser.violations() == []
    assert browser.overflow() <= 0
    assert browser.complaints() == []
    assert browser.requests() <= set(world.urls.values())


def test_a_task_lives_its_life_on_the_pages(browse: Browse, world: World) -> None:
    browser = browse()
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.heading("Not authenticated")
    browser.fill("#session-email", world.email)
    browser.fill("#session-password", "wrong")
    browser.click("[data-sign-in] button")
    browser.until(lambda: "is wrong" in browser.one("[data-sign-in] output").text)
    browser.sign_in()
    browser.heading("Tasks")

    browser.click("details.write summary")
    browser.fill("#post_task_list-title", HOSTILE[:100])
    browser.js("document.querySelector('#post_task_list-due_to').value = '2026-12-24T18:00:00'")
    browser.click("details.write button.primary")
    browser.heading("Task")
    assert HOSTILE[:100] in browser.text
    assert "2026-12-24 18:00 UTC" in browser.text
    assert browser.driver.title == "Task · tasks"

    browser.click("details.write summary")
    browser.fill("#put_task-title", "Call Ada")
    browser.click("button[value=PATCH]")
    browser.until(lambda: "Call Ada" in browser.text)
    assert "2026-12-24 18:00 UTC" in browser.text

    url, main = browser.driver.current_url, browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.open(url)
    browser.sign_in()
    browser.heading("Task")
    browser.click("details.write summary")
    browser.click("#put_task-done")
    browser.click("button[value=PATCH]")
    browser.one(".document .flag.on")
    browser.driver.close()
    browser.driver.switch_to.window(main)

    browser.click("details.write summary")
    browser.fill("#put_task-title", "Call Bob")
    browser.click("button[value=PATCH]")
    assert "Stale version" in browser.one("output .problem").text

    browser.driver.refresh()
    browser.heading("Task")
    browser.all("details.write summary")[-1].click()
    browser.click("button[value=DELETE]")
    browser.heading("Tasks")
    browser.open(url)
    browser.heading("Not found")
    browser.click("[data-sign-out]")
    browser.one(".session details")
    assert browser.complaints() == []


def test_what_is_wrong_with_a_form_is_told_beside_it(browse: Browse, world: World) -> None:
    browser = browse()
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.sign_in()
    browser.heading("Tasks")
    browser.click("details.write summary")
    browser.fill("#post_task_list-title", "A task")
    browser.fill("#post_task_list-person", "https://elsewhere.example/users/1")
    browser.click("details.write button.primary")
    assert "Not a URL of the form" in browser.one("output .errors").text
    assert browser.js("return document.activeElement.id") == "post_task_list-person"
    assert browser.one("#post_task_list-person").get_attribute("aria-invalid") == "true"
    assert browser.violations() == []


def test_a_listing_is_filtered_sorted_paged_and_read_as_programs_do(
    browse: Browse, world: World, two_tasks: str
) -> None:
    browser = browse()
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.sign_in()
    browser.heading("Tasks")
    browser.click("details.filter summary")
    browser.fill("#filter-2", "minutes")
    browser.fill("#filter-10", "1")
    browser.click("details.filter button")
    browser.until(lambda: "limit=1" in browser.driver.current_url)
    browser.until(lambda: len(browser.all("tbody tr")) == 1)
    assert "title%5Bcontains%5D=minutes" in browser.driver.current_url
    browser.click("thead a")
    browser.until(lambda: "sort=title" in browser.driver.current_url)
    browser.driver.back()
    browser.until(lambda: browser.all("tbody tr") and not browser.all("th[aria-sort]"))
    assert "sort" not in browser.driver.current_url
    browser.click("[data-raw='application/xml']")
    browser.until(lambda: "<title>Write the minutes</title>" in browser.one("#raw pre").text)
    browser.click("[data-raw='application/json']")
    browser.until(lambda: '"title": "Write the minutes"' in browser.one("#raw pre").text)
    assert browser.violations() == []


def test_an_archive_is_made_by_its_form_and_saved(browse: Browse, world: World) -> None:
    browser = browse()
    browser.open(f"{world.urls['archives']}/archives")
    browser.sign_in()
    browser.heading("Archives")
    browser.js("HTMLAnchorElement.prototype.click = function () { window.saved = this.download; }")
    browser.click("button[value=POST]")
    browser.until(lambda: browser.js("return window.saved") == "archive.zip")


def test_a_session_is_renewed_and_ends_where_it_cannot_be(browse: Browse, world: World) -> None:
    browser = browse()
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.sign_in()
    browser.heading("Tasks")
    expire = "const s = glassware.read(); s.until = 0; {} glassware.keep(s); return s.token"
    before = browser.js(expire.format(""))
    browser.click(".brand")
    browser.one("#suite")
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.heading("Tasks")
    assert browser.js("return glassware.read().token") != before
    browser.js(expire.format("s.refresh = 'none';"))
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.heading("Not authenticated")
    assert browser.js("return glassware.read()") is None


def test_the_keyboard_alone_is_enough(browse: Browse, world: World) -> None:
    browser = browse()
    browser.open(f"{world.urls['tasks']}/")

    def press(*keys: str) -> str:
        browser.driver.switch_to.active_element.send_keys(*keys)
        text: str = browser.js("return document.activeElement.innerText")
        return text.strip()

    assert press(Keys.TAB) == "Skip to the content"
    assert press(Keys.TAB) == "Tasks"
    assert [press(Keys.TAB) for _ in range(4)] == ["Docs", "OpenAPI", "Problems", "Sign in"]
    press(Keys.ENTER)
    press(Keys.TAB)
    press(world.email, Keys.TAB)
    press(world.password, Keys.ENTER)
    browser.one("[data-sign-out]")
    browser.open(f"{world.urls['tasks']}/tasks")
    browser.heading("Tasks")
    browser.js("document.querySelector('details.write summary').focus()")
    press(Keys.ENTER)
    press(Keys.TAB)
    press("By hand", Keys.ENTER)
    browser.heading("Task")
    assert "By hand" in browser.text
