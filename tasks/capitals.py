"""Capital letters in type and in text art: 26 classes, two ways to write them."""

from string import ascii_uppercase

from harness import Signature, Task
from harness.data.drawn.typefaces import figlet_domain, print_domain

TASK = Task(
    summary="Name the capital letter of a 28 x 28 grey picture, in type or in text art; balanced accuracy.",
    signature=Signature(kind="image", classes=26, channels=1, height=28, width=28),
    metric="balanced_accuracy",
    chance=1 / 26,
    domains=(
        print_domain("capitals", ascii_uppercase, "Capital letters", jitters=0),
        figlet_domain(ascii_uppercase, "Capital letters"),
    ),
    sources=("print",),
    held_out=("figlet",),
    class_names=tuple(ascii_uppercase),
)
