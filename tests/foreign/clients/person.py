"""A person with a browser, as in person.mjs, for the scripts in Python; `tell` prints what was seen."""

import json
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

INPUT = json.loads(sys.argv[1])
STEPS = 12


def tell(**seen):
    print(json.dumps(seen))


class Forms(HTMLParser):
    """The forms of a page: each its attributes, and those of its inputs and buttons."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "form":
            self.found.append((dict(attrs), []))
        elif tag in ("input", "button") and self.found:
            self.found[-1][1].append((tag, dict(attrs)))


class Person:
    def __init__(self, person=None):
        self.person = person or INPUT["person"]
        self.browser = requests.Session()
        self.pages = []

    def authorize(self, url, redirect_uri=None):
        """Follows an authorization request to the end: the URL that the client gets."""
        end = (redirect_uri or INPUT["redirect_uri"]).split("?")[0]
        answer = self.browser.get(url, allow_redirects=False)
        for _ in range(STEPS):
            if answer.is_redirect:
                if answer.request.method == "POST":
                    assert answer.status_code == 303, answer.status_code
                url = urljoin(answer.url, answer.headers["location"])
                if url.split("?")[0] == end:
                    return url
                answer = self.browser.get(url, allow_redirects=False)
            else:
                assert answer.status_code == 200, f"{answer.url} answered {answer.status_code}: {answer.text}"
                answer = self.fill_in(answer)
        raise AssertionError(f"no end after {STEPS} steps: {answer.url}")

    def fill_in(self, page):
        forms = Forms(page.text).found
        marks = [("type", "password"), ("name", "decision"), ("name", "prompt")]
        matching = (
            form
            for key, value in marks
            for form in forms
            if any(tag.get(key) == value for _, tag in form[1])
        )
        head, tags = next(matching, (None, None))
        assert head is not None, f"no form to fill in at {page.url}: {page.text}"
        self.pages.append("login" if any(tag.get("type") == "password" for _, tag in tags) else "consent")
        fields = {}
        for kind, tag in tags:
            name, type_ = tag.get("name"), tag.get("type")
            if name in ("email", "login"):
                fields[name] = self.person["email"]
            elif type_ == "password":
                fields[name] = self.person["password"]
            elif name == "team" and type_ == "radio":
                wanted = self.person.get("team")
                if tag["value"] == wanted or (wanted is None and (name not in fields or "checked" in tag)):
                    fields[name] = tag["value"]
            elif kind == "button" and name == "decision":
                if tag.get("value") == self.person.get("decision", "authorize"):
                    fields[name] = tag["value"]
            elif kind == "input" and name and type_ not in ("radio", "checkbox"):
                fields[name] = tag.get("value", "")
        teams = any(tag.get("name") == "team" for _, tag in tags)
        assert not teams or "team" in fields, f"no team {self.person['team']} at {page.url}"
        parts = urlsplit(page.url)
        none = page.headers.get("referrer-policy") == "no-referrer"
        origin = "null" if none else f"{parts.scheme}://{parts.netloc}"
        action = urljoin(page.url, head.get("action", ""))
        return self.browser.post(action, data=fields, headers={"origin": origin}, allow_redirects=False)
