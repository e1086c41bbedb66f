"""Look at every page of the site in a browser: it fits the window, copies its code, and finds a word.

    .venv-docs/bin/python docs/check.py build/docs

Needs chromium and its driver (`apt-get install chromium chromium-driver`). Pages are served, not opened as
files: a browser lets only those copy.
"""

import argparse
import functools
import http.server
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
WIDTHS = (1280, 390)
FIRST_EXAMPLE = "start.html"
WORD, PAGE_OF_WORD = "consumed", "start.html"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(site: Path):
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@contextmanager
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def make_wide(driver, width: int) -> None:
    # A window of a browser has a least width, a telephone's screen is narrower.
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def wait_for(answer, seconds: float = 10):
    end = time.monotonic() + seconds
    while not (got := answer()) and time.monotonic() < end:
        time.sleep(0.05)
    return got


def too_wide(driver, address: str, pages: list[str]):
    for width in WIDTHS:
        make_wide(driver, width)
        for page in pages:
            driver.get(f"{address}/{page}")
            inner, taken = driver.execute_script(
                "return [window.innerWidth, document.documentElement.scrollWidth]"
            )
            if inner != width or taken > width:
                yield f"{page} takes {taken} of {width} pixels"


def does_not_copy(driver, address: str):
    make_wide(driver, WIDTHS[0])
    driver.get(f"{address}/{FIRST_EXAMPLE}")
    permissions = {"origin": address, "permissions": ["clipboardReadWrite"]}
    driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    block = driver.find_element(By.CSS_SELECTOR, "div.highlight-python")
    wanted = block.find_element(By.TAG_NAME, "pre").text
    # A real click: only what a person does may copy. The button is there when the mouse is over the block.
    buttons = block.find_elements(By.CSS_SELECTOR, "button.copybtn")
    if not buttons:
        yield f"{FIRST_EXAMPLE} has nothing to copy its code with"
        return
    ActionChains(driver).move_to_element(block).pause(0.3).click(buttons[0]).perform()
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done, e => done('' + e))"
    wait_for(lambda: driver.execute_async_script(read).strip() == wanted.strip())
    copied = driver.execute_async_script(read)
    if copied.strip() != wanted.strip():
        yield f"{FIRST_EXAMPLE} copies {copied!r}"


def does_not_find(driver, address: str):
    driver.get(f"{address}/search.html?q={WORD}")

    def found():
        links = driver.find_elements(By.CSS_SELECTOR, "ul.search li a")
        return [link.get_attribute("href") for link in links]

    if not wait_for(lambda: any(PAGE_OF_WORD in link for link in found())):
        yield f"searching {WORD!r} finds {found()}"


def does_not_draw(driver, address: str, pages: list[str]):
    """A picture that is missing or has no size."""
    for page in pages:
        driver.get(f"{address}/{page}")
        for image in driver.find_elements(By.CSS_SELECTOR, "article img, article svg.picture"):
            if not image.size["width"] or image.get_attribute("naturalWidth") == "0":
                yield f"{page} does not show {image.get_attribute('src')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    site = parser.parse_args().site
    if not (CHROMIUM.exists() and DRIVER.exists()):
        sys.exit("nothing was checked: apt-get install chromium chromium-driver")
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    assert FIRST_EXAMPLE in pages
    with served(site) as address, browser() as driver:
        faults = [
            *too_wide(driver, address, pages),
            *does_not_copy(driver, address),
            *does_not_find(driver, address),
            *does_not_draw(driver, address, pages),
        ]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(pages)} pages at {' and '.join(map(str, WIDTHS))} pixels: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
