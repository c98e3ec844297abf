"""The suite as real processes, and a browser that notes all that it says and asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from glassware.cli.processes import Suite, free_ports

ROOT = Path(__file__).parents[2]
AXE = ROOT / "build/browser/node_modules/axe-core/axe.min.js"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync --lang=en-GB"
)
VIEWS = {
    "light": {"width": 1280, "height": 800, "mobile": False, "deviceScaleFactor": 1},
    "dark": {"width": 1280, "height": 800, "mobile": False, "deviceScaleFactor": 1},
    "phone": {"width": 390, "height": 844, "mobile": True, "deviceScaleFactor": 2},
}


class World:
    """The URLs of the running services, and the first administrator."""

    def __init__(self, suite: Suite, first: dict[str, Any]) -> None:
        self.urls = {name: member.url for name, member in suite.members.items()}
        self.email, self.password = first["email"], first["password"]


class Browser:
    """A browser with an empty profile; ``requests`` and ``complaints`` hold what happened."""

    def __init__(self, driver: webdriver.Chrome, world: World, view: str) -> None:
        self.driver, self.world = driver, world
        self.see(view)

    def see(self, view: str) -> None:
        scheme = "dark" if view == "dark" else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", VIEWS[view])

    def open(self, url: str) -> None:
        self.driver.get(url)

    def one(self, selector: str) -> WebElement:
        """Return the element, which may take a moment to be there and to be seen."""
        return self.until(lambda: next(iter(self.all(selector)), None))

    def all(self, selector: str) -> list[WebElement]:
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [each for each in found if each.is_displayed()]

    def until(self, condition: Callable[[], Any]) -> Any:
        wait = WebDriverWait(self.driver, 10, 0.05, [StaleElementReferenceException])
        return wait.until(lambda _: condition())

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def fill(self, selector: str, text: str) -> None:
        element = self.one(selector)
        element.clear()
        element.send_keys(text)

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    @property
    def text(self) -> str:
        return self.driver.find_element(By.CSS_SELECTOR, "main").text

    def heading(self, text: str) -> None:
        """Wait until the page is the one with this heading."""
        self.until(lambda: self.js("return document.querySelector('main h1')?.innerText") == text)

    def sign_in(self) -> None:
        if not self.all("#session-email"):
            self.click(".session summary")
        self.fill("#session-email", self.world.email)
        self.fill("#session-password", self.world.password)
        self.click("[data-sign-in] button")
        self.one("[data-sign-out]")

    def violations(self) -> list[str]:
        """Return what axe-core finds fault with, a line for each element."""
        self.js(AXE.read_text())
        found = self.driver.execute_async_script(
            "axe.run({resultTypes: ['violations']}).then(arguments[0])"
        )
        return [
            f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def overflow(self) -> int:
        """Return how much wider the page is than the window, in CSS pixels."""
        found: int = self.js("return document.documentElement.scrollWidth - innerWidth")
        return found

    def requests(self) -> set[str]:
        """Return the origins that were asked since the last time."""
        urls = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.add(message["params"]["request"]["url"])
        return {"/".join(url.split("/")[:3]) for url in urls if url.startswith("http")}

    def complaints(self) -> list[str]:
        """Return what the console had to say, but for the statuses of answers."""
        said = self.driver.get_log("browser")
        return [
            each["message"] for each in said if "the server responded with" not in each["message"]
        ]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    state = tmp_path_factory.mktemp("suite") / "var"
    ports = free_ports(["auth", "tasks", "archives"])
    suite = Suite(ROOT, state, ports=ports, settings={"limits.storage": ""})
    try:
        suite.prepare()
        first = suite.start()
        yield World(suite, first)
    finally:
        suite.stop()


@pytest.fixture
def browse(world: World, tmp_path: Path) -> Iterator[Callable[[str], Browser]]:
    """Start browsers: ``browse("dark")``."""
    drivers = []

    def start(view: str = "light") -> Browser:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS.split():
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={tmp_path / str(len(drivers))}")
        options.set_capability("goog:loggingPrefs", {"browser": "WARNING", "performance": "ALL"})
        driver = webdriver.Chrome(options, Driver("/usr/bin/chromedriver"))
        drivers.append(driver)
        return Browser(driver, world, view)

    yield start
    for driver in drivers:
        driver.quit()
