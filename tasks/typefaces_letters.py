"""Capital letters in five categories of typefaces, 30 families each, and in text art."""

from string import ascii_uppercase

from harness import Signature, Task
from harness.data.drawn.fontsource import fontsource_domains
from harness.data.drawn.typefaces import figlet_domain

TASK = Task(
    summary="Name the capital letter of a 28 x 28 grey picture, in categories of type; balanced accuracy.",
    signature=Signature(kind="image", classes=26, channels=1, height=28, width=28),
    metric="balanced_accuracy",
    chance=1 / 26,
    domains=(
        *fontsource_domains(ascii_uppercase, "Capital letters"),
        figlet_domain(ascii_uppercase, "Capital letters"),
    ),
    sources=("sans_serif", "serif", "monospace"),
    held_out=("display", "script", "figlet"),
    class_names=tuple(ascii_uppercase),
)
