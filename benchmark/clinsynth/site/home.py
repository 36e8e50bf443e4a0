"""Where a board lives and whom to ask: for footers and for the cards that messengers and networks show of a link."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from urllib.parse import urljoin

NAME = "clinsynth"
SENTENCE = (
    "Which synthetic data trains the better clinical model? One frozen student, real test sets, honest statistics."
)
"""What it is, in one line."""


@dataclass(frozen=True, slots=True)
class Home:
    """Addresses; those that are empty are not shown."""

    url: str = ""
    """Where the pages will lie: a card of a link needs whole addresses."""
    repository: str = ""
    docs: str = ""
    contact: str = ""
    """A page, or an address of mail."""

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """What a footer offers: words and address."""
        contact = f"mailto:{self.contact}" if "@" in self.contact and "/" not in self.contact else self.contact
        pairs = (("Repository", self.repository), ("Documentation", self.docs), ("Contact", contact))
        return tuple((name, address) for name, address in pairs if address)

    def at(self, path: str) -> str:
        """The whole address of a path below the home; the path itself where no home is known."""
        return urljoin(self.url.rstrip("/") + "/", path) if self.url else path


_LABELS = {
    "repository": ("repository", "source", "source code"), "docs": ("documentation", "docs"),
    "contact": ("contact", "issues", "bug tracker"),
}  # fmt: skip


def home_of(url: str = "", repository: str = "", docs: str = "", contact: str = "") -> Home:
    """The addresses given; what is not given, as the package's own metadata has it."""
    given = {"repository": repository, "docs": docs, "contact": contact}
    try:
        lines = metadata(NAME).get_all("Project-URL") or []
    except PackageNotFoundError:
        lines = []
    known: dict[str, str] = {}
    for line in lines:
        label, _, address = line.partition(",")
        known[label.strip().lower()] = address.strip()
    for key, labels in _LABELS.items():
        given[key] = given[key] or next((known[label] for label in labels if label in known), "")
    return Home(url=url, **given)
