"""Digits in five categories of typefaces, 30 families each; by hand, too."""

from dataclasses import replace

from harness import Signature, Task
from harness.data.drawn.fontsource import fontsource_domains
from harness.data.drawn.handwritten import MNIST, OPTDIGITS

DIGITS = "0123456789"

TASK = Task(
    summary="Name the digit of a 28 x 28 grey picture, in categories of type or by hand; balanced accuracy.",
    signature=Signature(kind="image", classes=10, channels=1, height=28, width=28),
    metric="balanced_accuracy",
    chance=0.1,
    domains=(
        *fontsource_domains(DIGITS, "Digits"),
        replace(MNIST, stratum="handwriting"),
        OPTDIGITS,
    ),
    sources=("sans_serif", "serif", "monospace"),
    held_out=("display", "script", "mnist", "optdigits"),
    class_names=tuple(DIGITS),
)
