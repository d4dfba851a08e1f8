"""A child process that can read and answer and do nothing else, for what must not happen in this one.

It has no environment, its two pipes and no other file, and limits on memory and time; whatever becomes of it
is one sentence here.
"""

import subprocess  # the child is this interpreter with code of this package  # nosec B404
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import IO

from harness.errors import DataUnavailableError

MEMORY_BYTES = 2**31
CPU_SECONDS = 60
"""Of one answer."""
WAITED_SECONDS = 240.0
"""For one answer, on a machine that has other things to do too."""
ANSWER_BYTES = 2**28
_SIZE_BYTES = 8


class Confined:
    """A child that answers by one function, started at the first question and ended by `close`."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        root = str(Path(__file__).parents[3])
        self.code = (
            f"import sys; sys.path.append({root!r}); from harness.data.foreign.confined import serve; "
            f"from {answer.__module__} import {answer.__name__}; serve({answer.__name__})"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, question: bytes, where: str) -> bytes:
        """Returns the answer to `question`."""
        self.process = self.process or self._started()
        timer = Timer(WAITED_SECONDS, self.process.kill)
        timer.start()
        try:
            found = self._exchanged(self.process, question)
        finally:
            timer.cancel()
        if found is None:
            status = self.close()
            ended = f"signal {-status}" if status < 0 else f"exit status {status}"
            raise DataUnavailableError(
                f"{where} is not read: its reader ended with {ended}, or went over {CPU_SECONDS} seconds or "
                f"{MEMORY_BYTES >> 20} MiB; the file is damaged or hostile."
            )
        return found

    def close(self) -> int:
        """Ends the child and returns its exit status; 0 where there is none."""
        process, self.process = self.process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # no shell, and no word of it is a user's  # nosec B603
            [sys.executable, "-I", "-S", "-c", self.code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
        )

    @staticmethod
    def _exchanged(process: "subprocess.Popen[bytes]", question: bytes) -> bytes | None:
        """Returns the answer; None where the child died or answers with too much."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            write_frame(process.stdin, question)
        except BrokenPipeError:
            return None
        return read_frame(process.stdout, ANSWER_BYTES)


def serve(answer: Callable[[bytes], bytes]) -> None:
    """Answers question after question; what the child does."""
    import resource

    for kind, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        allowed = _within(value, resource.getrlimit(kind)[1])
        resource.setrlimit(kind, (allowed, allowed))
    while True:
        question = read_frame(sys.stdin.buffer, sys.maxsize)
        if question is None:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
        most = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (_within(seconds, most), most))
        write_frame(sys.stdout.buffer, answer(question))


def _within(value: int, most: int) -> int:
    return value if most < 0 else min(value, most)


def write_frame(pipe: IO[bytes], data: bytes) -> None:
    """Writes the size of `data`, and it."""
    pipe.write(len(data).to_bytes(_SIZE_BYTES, "big"))
    pipe.write(data)
    pipe.flush()


def read_frame(pipe: IO[bytes], most: int) -> bytes | None:
    """Returns what `write_frame` wrote; None at the end, or where it is cut or longer than `most`."""
    head = pipe.read(_SIZE_BYTES)
    size = int.from_bytes(head, "big")
    if len(head) < _SIZE_BYTES or size > most:
        return None
    data = pipe.read(size)
    return data if len(data) == size else None
