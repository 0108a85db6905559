"""What a browser calls itself, in words that somebody knows their own by: "Firefox on Windows".

Pure. Never trusted for anything: a browser says what it likes.
"""

from __future__ import annotations

# The more particular first: nearly all of them call themselves Chrome and Safari as well.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "a Mac"),
    ("Linux", "Linux"),
)


def words(agent: str) -> str:
    """The browser and its system, as far as they are known; "A browser" for one that says nothing known."""
    browser = next((name for sign, name in BROWSERS if sign in agent), "")
    system = next((name for sign, name in SYSTEMS if sign in agent), "")
    if not system:
        return browser or "A browser"
    return f"{browser or 'A browser'} on {system}"
