"""A headless Chromium that tests drive: Debian's, never one that is fetched.

`.ci/browser` installs it.  Without it these tests are skipped, and say so; they fail instead where
``ANOMVAE_BROWSER=required``, as in ``.ci/run``.
"""

import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE = 60  # s, of every wait: machines of CI are slow, and what is awaited comes
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--disable-extensions", "--force-device-scale-factor=1"),
    *("--hide-scrollbars", "--disable-default-apps", "--no-default-browser-check"),
)
MISSING = (
    "Chromium and chromedriver are not installed, so no page is opened. Run .ci/browser, "
    "or install the packages chromium and chromium-driver."
)


def programs():
    """Return the paths of the browser and of its driver, or None."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def started(folder):
    """Start a browser with a fresh profile in a folder, or skip the test."""
    found = programs()
    if found is None:
        assert os.environ.get("ANOMVAE_BROWSER") != "required", MISSING
        pytest.skip(MISSING)
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = selenium.ChromeOptions()
    options.binary_location = found[0]
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.page_load_strategy = "normal"
    driver = _driver(selenium, options, found[1])
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def _driver(selenium, options, program):
    service = selenium.ChromeService(program)  # named, so that selenium looks for none
    driver = selenium.Chrome(options, service)
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    return driver


class Browser:
    """A window in which tests open pages, as `Opened`."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path, width=1200, height=900, dark=False, ready=True):
        """Open a file, and wait until its widgets have started."""
        address = path.as_uri() if isinstance(path, Path) else str(path)
        page = Opened(self.driver)
        page.resize(width, height)
        page.emulate(dark=dark)
        page.errors()  # those of pages before
        self.driver.get("about:blank")  # a page that is opened again is a new one
        self.driver.get(address)
        if ready:
            page.wait_until_ready()
        return page


class Opened:
    """A page that is open."""

    def __init__(self, driver):
        self.driver = driver

    def wait(self, condition, what):
        """Wait until a condition holds, and return what it gave."""
        from selenium.common.exceptions import StaleElementReferenceException

        end = time.monotonic() + PATIENCE
        while True:
            try:
                if found := condition():
                    return found
            except StaleElementReferenceException:  # drawn anew meanwhile
                pass
            assert time.monotonic() < end, f"{what}: waited {PATIENCE} s. {self.errors()}"
            self.frame()

    def wait_until_ready(self):
        """Wait until the widgets have started and the maps are drawn."""
        started = (
            "return !document.querySelector('.widget') || (document.documentElement.dataset.ready "
            "&& [...document.querySelectorAll('.widget.map')].every((map) => map.dataset.ready))"
        )
        self.wait(lambda: self.script(started), "widgets start")
        self.frame()

    def frame(self):
        """Let the page draw: two frames pass."""
        self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        )

    def errors(self):
        """Return what the console lists as severe since the last call."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def script(self, text, *words):
        """Run JavaScript, and return what it returns."""
        return self.driver.execute_script(text, *words)

    def all(self, css):
        """Return the elements of a selector."""
        return self.driver.find_elements("css selector", css)

    def one(self, css):
        """Return the only element of a selector."""
        (found,) = self.all(css)
        return found

    def text(self, css):
        """Return the text of an element, visible or not."""
        return self.script("return arguments[0].textContent", self.one(css))

    def click(self, css):
        """Click on an element, after it was brought into view."""
        element = self.one(css)
        self.into_view(element)
        element.click()
        self.frame()

    def click_at(self, css, x, y):
        """Click at a place of an element, in screen pixels from its upper left corner."""
        self._chain(css, x, y).click().perform()
        self.frame()

    def hover(self, css, x, y):
        """Point at a place of an element."""
        self._chain(css, x, y).perform()
        self.frame()

    def drag(self, css, dx, dy):
        """Drag an element by some screen pixels."""
        element = self.one(css)
        self.into_view(element)
        chain = self.chain().click_and_hold(element)
        for _ in range(4):
            chain = chain.move_by_offset(dx // 4, dy // 4)
        chain.release().perform()
        self.frame()

    def wheel(self, css, by):
        """Turn the wheel over the middle of an element."""
        from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

        element = self.one(css)
        self.into_view(element)
        self._rest()
        self.chain().scroll_from_origin(ScrollOrigin.from_element(element), 0, by).perform()
        self.frame()

    def _rest(self):
        """Wait until the page has not scrolled for a while: a map takes the wheel only then."""
        self.script("window.rested = performance.now() + 500")
        self.wait(lambda: self.script("return performance.now() > window.rested"), "a rest")

    def focus(self, css):
        """Give an element the focus, as the tabulator key does."""
        self.script("arguments[0].focus()", self.one(css))

    def keys(self, css, *keys):
        """Press keys in an element; names are those of selenium: "ARROW_LEFT", "ENTER"."""
        self.focus(css)
        self.press(*keys)

    def press(self, *keys):
        """Press keys where the focus is."""
        from selenium.webdriver.common.keys import Keys

        chain = self.chain()
        for key in keys:
            chain = chain.send_keys(getattr(Keys, key, key))
        chain.perform()
        self.frame()

    def focused(self):
        """Return what the focus is on: its tag, and its label or text."""
        return self.script(
            "const e = document.activeElement;"
            "return [e.tagName.toLowerCase(), e.getAttribute('aria-label') || e.textContent]"
        )

    def resize(self, width, height):
        """Give the page a size in CSS pixels, as a narrow screen does."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def emulate(self, dark=False, printed=False):
        """Show the page as a dark screen or as paper does."""
        colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        media = {"media": "print" if printed else "", "features": colours}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def is_wider_than_window(self):
        """Return whether the page scrolls sideways."""
        root = "document.documentElement"
        return self.script(
            f"return Math.max({root}.scrollWidth, document.body.scrollWidth) > {root}.clientWidth"
        )

    def screenshot(self, path, full=False):
        """Save what the window shows, or all of the page, as PNG."""
        import base64

        shot = {"format": "png", "captureBeyondViewport": full}
        if full:
            size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
            shot["clip"] = {"x": 0, "y": 0, "scale": 1} | {k: size[k] for k in ("width", "height")}
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", shot)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def into_view(self, element):
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.frame()

    def chain(self):
        from selenium.webdriver import ActionChains

        return ActionChains(self.driver, duration=20)

    def _chain(self, css, x, y):
        element = self.one(css)
        self.into_view(element)
        width, height = element.size["width"], element.size["height"]
        return self.chain().move_to_element_with_offset(
            element, round(x - width / 2), round(y - height / 2)
        )
