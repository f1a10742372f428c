"""Airflow's web page of connections, in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import ElementNotInteractableException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from demo.airflow import USERNAME, AirflowSettings

_SECONDS = 60.0
_IN_MOTION = (ElementNotInteractableException, StaleElementReferenceException)
_TOASTS = "[data-scope=toast][data-part=root]"
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # a container's root cannot make one
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-proxy-server",
    "--force-prefers-reduced-motion",
    "--hide-scrollbars",
    "--window-size=1120,1250",
)


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Debian's Chromium with its driver; both end with the block."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.fail("needs Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for option in _OPTIONS:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    try:
        yield driver
    finally:
        driver.quit()


class ConnectionsPage:
    """What a platform engineer sees and does there.

    :param pictures: a folder for screenshots.
    """

    def __init__(self, driver: webdriver.Chrome, settings: AirflowSettings, pictures: Path) -> None:
        self._driver = driver
        self._settings = settings
        self._pictures = pictures
        self._wait = WebDriverWait(driver, _SECONDS, ignored_exceptions=_IN_MOTION)

    def sign_in(self) -> None:
        self._driver.get(f"{self._settings.base_url}/auth/login?next=/")
        self._find("input[name=username]").send_keys(USERNAME)
        self._find("input[name=password]").send_keys(self._settings.password)
        self._find("button[type=submit]").click()
        self._wait.until(lambda driver: "/auth/" not in driver.current_url)

    def open(self) -> None:
        self._driver.get(f"{self._settings.base_url}/connections")
        self._wait.until(lambda _: self._buttons("Add Connection"))

    def add(self, type_name: str) -> Form:
        """Press *Add Connection* and choose the type."""
        self._buttons("Add Connection")[0].click()
        form = Form(self._driver, self._wait)
        form.choose_type(type_name)
        return form

    def edit(self, conn_id: str) -> Form:
        self._in_row(conn_id, "Edit Connection").click()
        form = Form(self._driver, self._wait)
        self._wait.until(lambda _: form.shown("host"))
        return form

    def test(self, conn_id: str) -> str:
        """Press *Test Connection*; what the page answers, its title first."""
        self._in_row(conn_id, "Test Connection").click()
        words = "Test Connection "
        toasts = self._wait.until(
            lambda driver: [
                toast.text
                for toast in driver.find_elements(By.CSS_SELECTOR, _TOASTS)
                if toast.text.startswith((f"{words}Successful", f"{words}Failed"))
            ]
        )
        return toasts[-1]

    def picture(self, name: str, height: int = 1250) -> None:
        self._driver.set_window_size(1120, height)
        places: list[list[dict[str, int]]] = [[]]

        def stand_still(driver: WebDriver) -> bool:
            places.append([toast.rect for toast in driver.find_elements(By.CSS_SELECTOR, _TOASTS)])
            return places[-1] == places[-2]

        self._wait.until(stand_still)
        self._driver.save_screenshot(str(self._pictures / f"{name}.png"))

    def _find(self, selector: str) -> WebElement:
        return self._wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))

    def _buttons(self, text: str) -> list[WebElement]:
        found = self._driver.find_elements(By.TAG_NAME, "button")
        return [button for button in found if button.text.strip() == text]

    def _in_row(self, conn_id: str, label: str) -> WebElement:
        path = f"//tbody/tr[td[normalize-space()='{conn_id}']]//button[@aria-label='{label}']"
        return self._wait.until(lambda driver: driver.find_element(By.XPATH, path))


class Form:
    """The form of one connection."""

    def __init__(self, driver: webdriver.Chrome, wait: WebDriverWait[WebDriver]) -> None:
        self._driver = driver
        self._wait = wait
        self._dialog = wait.until(lambda _: driver.find_element(By.CSS_SELECTOR, "[role=dialog]"))

    def choose_type(self, name: str) -> None:
        self._dialog.find_element(By.CSS_SELECTOR, "input[role=combobox]").send_keys(name)
        self._pick()
        self._wait.until(lambda _: self.shown("host"))

    def open_section(self, name: str) -> None:
        """Open one, which closes the others."""
        [trigger] = [one for one in self._triggers() if one.text.strip() == name]
        if trigger.get_attribute("aria-expanded") != "true":
            trigger.click()
        self._wait.until(lambda _: trigger.get_attribute("aria-expanded") == "true")

    def sections(self) -> list[str]:
        return [trigger.text.strip() for trigger in self._triggers()]

    def fields_of(self, section: str) -> list[str]:
        """Labels of a section's fields, from top to bottom, opened or not."""
        [trigger] = [one for one in self._triggers() if one.text.strip() == section]
        content = self._driver.find_element(By.ID, trigger.get_attribute("aria-controls"))
        labels = content.find_elements(By.TAG_NAME, "label")
        return [_text(label).removesuffix("*").strip() for label in labels]

    def shown(self, name: str) -> list[WebElement]:
        """The input of a field, as a list that is empty where there is none."""
        return self._dialog.find_elements(By.CSS_SELECTOR, f"[name={name}], [name=element_{name}]")

    def field(self, name: str) -> ShownField:
        [found] = self.shown(name)
        root = found.find_element(By.XPATH, "./ancestor::*[@data-scope='field'][@data-part='root'][1]")
        return ShownField(found, root)

    def value(self, name: str) -> str:
        return self.shown(name)[0].get_attribute("value") or ""

    def fill(self, name: str, value: str) -> None:
        """Replace what a field holds; its section is open."""
        [found] = self.shown(name)
        if found.get_attribute("type") == "hidden":
            self._open_choices(name)
            self._driver.switch_to.active_element.send_keys(value)
            self._pick()
        else:
            self._driver.execute_script("arguments[0].focus(); arguments[0].select()", found)
            # At once, as by pasting: the page loses letters of a long value that is typed without pause.
            self._driver.execute_cdp_cmd("Input.insertText", {"text": value})
        self._wait.until(lambda _: self.value(name) == value, f"{name} did not take {value}")

    def options(self, name: str) -> list[str]:
        """What a field lets one choose from."""
        self._open_choices(name)
        options = self._wait.until(
            lambda driver: [o.text for o in driver.find_elements(By.CSS_SELECTOR, "[role=option]")]
        )
        # Escape would close the whole form.
        self._driver.switch_to.active_element.send_keys(Keys.TAB)
        return options

    def save(self) -> None:
        [button] = [one for one in self._dialog.find_elements(By.TAG_NAME, "button") if one.text == "Save"]
        self._wait.until(lambda _: button.is_enabled())
        button.click()
        self._wait.until(lambda driver: not driver.find_elements(By.CSS_SELECTOR, "[role=dialog]"))

    def _open_choices(self, name: str) -> None:
        [entry] = self._dialog.find_elements(By.CSS_SELECTOR, f"#element_{name} input[role=combobox]")

        def are_open(driver: WebDriver) -> bool:
            if driver.find_elements(By.CSS_SELECTOR, "[role=option]"):
                return True
            # A section that is being opened takes no key yet: asked again until it does.
            driver.execute_script("arguments[0].focus()", entry)
            driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
            return False

        self._wait.until(are_open)

    def _pick(self) -> None:
        self._wait.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "[role=option]"))
        self._driver.switch_to.active_element.send_keys(Keys.ENTER)

    def _triggers(self) -> list[WebElement]:
        return self._dialog.find_elements(By.CSS_SELECTOR, "button[data-part=item-trigger]")


class ShownField:
    """One field as a person sees it."""

    def __init__(self, found: WebElement, root: WebElement) -> None:
        self._found = found
        self._root = root

    @property
    def label(self) -> str:
        return _text(self._root.find_element(By.TAG_NAME, "label")).removesuffix("*").strip()

    @property
    def is_required(self) -> bool:
        return _text(self._root.find_element(By.TAG_NAME, "label")).endswith("*")

    @property
    def help_text(self) -> str:
        found = self._root.find_elements(By.CSS_SELECTOR, "[data-part=helper-text]")
        return _text(found[0]) if found else ""

    @property
    def placeholder(self) -> str:
        return self._found.get_attribute("placeholder") or ""

    @property
    def kind(self) -> str:
        """``choice``, ``suggestions``, or the type of the input."""
        if self._found.get_attribute("list"):
            return "suggestions"
        kind = self._found.get_attribute("type") or ""
        return "choice" if kind == "hidden" else kind

    @property
    def suggestions(self) -> list[str]:
        return [_text(option) for option in self._root.find_elements(By.CSS_SELECTOR, "datalist option")]

    def shows_all_of_its_placeholder(self) -> bool:
        script = (
            "const [e] = arguments, c = document.createElement('canvas').getContext('2d');"
            "const s = getComputedStyle(e); c.font = s.font;"
            "const room = e.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight);"
            "return c.measureText(e.placeholder).width <= room;"
        )
        return bool(self._found.parent.execute_script(script, self._found))


def _text(element: WebElement) -> str:
    # Also of what is in a closed section, which `text` leaves out.
    return (element.get_attribute("textContent") or "").strip()
