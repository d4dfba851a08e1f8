"""Keys of endpoints, each bound to one host: no suite, reply or redirect can have one sent anywhere else.

The environment alone binds them. `HARNESS_LLM_API_KEY` goes to the host of `HARNESS_LLM_BASE_URL`, and
`OPENAI_API_KEY` to that of `OPENAI_BASE_URL`, or of OpenAI where there is none. A suite may name an address,
and never a variable.
"""

import base64
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from harness.errors import HarnessError

HIDDEN: Final = "[key]"
SHORTEST_SECRET: Final = 8
"""Shorter keys are placeholders such as `none`, which texts may well hold as a word."""
OPENAI: Final = "https://api.openai.com/v1"
_BOUND: Final = (("OPENAI_API_KEY", "OPENAI_BASE_URL"), ("HARNESS_LLM_API_KEY", "HARNESS_LLM_BASE_URL"))
"""Key and address; the later pair wins where both name one host."""
_READ_BY_CLIENTS: Final = ("OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS")
_ADDRESS: Final = re.compile(
    r"(?P<head>https?://)((?P<login>[^/@?#\s]*)@)?"
    r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?"
    r"(?P<path>/[A-Za-z0-9_.~/%:+-]*)?(\?(?P<query>[^#\s]*))?(#\S*)?",
    re.ASCII | re.IGNORECASE,
)
"""Narrow, so that no two libraries can read two hosts out of one address."""
ENDPOINTS: Final = (
    "local-completions",
    "local-chat-completions",
    "openai-completions",
    "openai-chat-completions",
    "sglang-generate",
)
"""Models of lm-eval that take an address and a key; others read variables of their own."""
_KEYLESS: Final = ("gguf", "ggml")
_SECRET: Final = re.compile(
    r"api_?key|auth|secret|passw|headers?$|^key$|^token$|(api|hf|access)_token$", re.IGNORECASE
)
_LOGIN_IN_TEXT: Final = re.compile(r"(?<=://)[^\s/@]*@")


class Key(NamedTuple):
    """What an endpoint asks of its users; all of it is secret.

    Attributes:
        token: sent as the bearer's.
        login: `user:password`, sent in place of the token.
        query: joined to every address.
    """

    token: str = ""
    login: str = ""
    query: str = ""

    def headers(self) -> dict[str, str]:
        """Returns the header that carries the key; none without one."""
        if self.login:
            return {"Authorization": f"Basic {base64.b64encode(self.login.encode()).decode()}"}
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def parameters(self) -> dict[str, str]:
        """Returns the query as names and values."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def __repr__(self) -> str:
        return f"Key({HIDDEN})"

    def hidden_in(self, text: str) -> str:
        """Returns the text with every secret of this key blotted out."""
        password = self.login.partition(":")[2]
        sent = self.headers().get("Authorization", "").partition(" ")[2]
        secrets = {self.token, self.login, password, sent, self.query, *self.parameters().values()}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return text


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The user's keys by the host that each is for.

    Attributes:
        by_host: `https://host:port` -> its key.
        held: variables that hold a key, bound to a host or not.
    """

    by_host: Mapping[str, Key] = field(default_factory=dict, repr=False, hash=False)
    held: tuple[str, ...] = ()

    def of(self, address: str) -> Key:
        """Returns the key for an address; an empty one where the environment names none for its host."""
        return self.by_host.get(host_of(address), Key())

    def hidden_in(self, text: str) -> str:
        """Returns the text with every secret blotted out, and with no user and password in an address."""
        for key in self.by_host.values():
            text = key.hidden_in(text)
        return _LOGIN_IN_TEXT.sub("", text)


def take_keys(environment: MutableMapping[str, str]) -> Keys:
    """Returns the keys of the environment and takes them out of it, with all that is secret in its addresses.

    What this process loads or starts can then not read them.

    Raises:
        HarnessError: an address is none, or a key holds what no key holds.
    """
    found: dict[str, Key] = {}
    held = []
    for name, place in _BOUND:
        token = environment.pop(name, "").strip()
        is_ours = place == "HARNESS_LLM_BASE_URL"
        if is_ours and not (token.isascii() and token.isprintable()):
            raise HarnessError(
                f"The key in {name} holds a character that no key has; copy it again, without quotes or line "
                "ends."
            )
        held += [name] if token else []
        address = environment.get(place, "").strip() or ("" if is_ours else OPENAI)
        match = _ADDRESS.fullmatch(address)
        if match is None and address and is_ours:
            raise HarnessError(f"{place} is no address; write https://HOST/PATH.")
        if match is None:  # other programs may take what is no address to us; the key is for no host then
            continue
        key = Key(token, unquote(match["login"] or ""), match["query"] or "")
        plain = "".join(match[part] or "" for part in ("head", "host", "port", "path"))
        if place in environment:
            environment[place] = plain
        if any(key):
            found[host_of(plain)] = key
    for name in _READ_BY_CLIENTS:
        environment.pop(name, None)
    return Keys(by_host=found, held=tuple(held))


def host_of(address: str) -> str:
    """Returns `https://host:port` of an address, in lower case; nothing where it is none."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return ""
    head = match["head"].lower()
    port = int(match["port"][1:]) if match["port"] else 443 if head == "https://" else 80
    return f"{head}{match['host'].lower()}:{port}"


def wrong_address(address: str) -> str:
    """Returns what a suite's address must not be, or nothing where it is fine; never the address itself."""
    match = _ADDRESS.fullmatch(address)
    if match is not None and match["login"] is not None:
        return "holds a user or a password, which would be written into the run; set HARNESS_LLM_BASE_URL"
    if match is not None and match["query"] is not None:
        return "holds a query, which would be written into the run; set HARNESS_LLM_BASE_URL"
    return "" if match is not None and "#" not in address else "is no address; write https://HOST/PATH"


def refuse_secrets(model: str, query: str) -> None:
    """Makes sure that NAME=VALUE&NAME=VALUE of a model of lm-eval hold no secret and lead no key astray.

    Raises:
        HarnessError: a value is a secret, which would be written into the run, or names a host for a model
            that sends there what it finds in the environment.
    """
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if _SECRET.search(name):
            raise HarnessError(f"{name} is a secret and does not belong in a suite; set HARNESS_LLM_API_KEY.")
        address = unquote(value)
        if "://" not in address and name not in ("base_url", "api_base"):
            continue
        if model not in (*ENDPOINTS, *_KEYLESS):
            raise HarnessError(
                f"{name} names a host to lm_eval:{model}, which would send it a key of yours; models that "
                f"may be given one are {', '.join((*ENDPOINTS, *_KEYLESS))}."
            )
        if wrong := wrong_address(address):
            raise HarnessError(f"{name} of lm_eval:{model} {wrong}.")
