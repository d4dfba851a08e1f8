"""Digits by hand and in type: one label space, four ways to write it."""

from dataclasses import replace

from harness import Signature, Task
from harness.data.drawn.handwritten import MNIST, OPTDIGITS
from harness.data.drawn.typefaces import figlet_domain, print_domain

DIGITS = "0123456789"

TASK = Task(
    summary="Name the digit of a 28 x 28 grey picture, by hand or in type; balanced accuracy.",
    signature=Signature(kind="image", classes=10, channels=1, height=28, width=28),
    metric="balanced_accuracy",
    chance=0.1,
    domains=(
        MNIST,
        print_domain("digits", DIGITS, "Digits", jitters=4),
        replace(figlet_domain(DIGITS, "Digits"), stratum="typefaces"),
        OPTDIGITS,
    ),
    sources=("mnist", "print"),
    held_out=("figlet", "optdigits"),
    class_names=tuple(DIGITS),
)
