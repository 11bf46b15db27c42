"""The output of a second pass is hidden, without lasting effects; other threads are heard."""

# ruff: noqa: T201 - whether something is printed is what is tested

from __future__ import annotations

import functools
import logging
import sys
import threading
import warnings
from warnings import warn

import pytest
import torch

from attnlab.capture.isolation.random_generators import RandomGenerators
from attnlab.capture.isolation.silenced_output import silenced


class Once(logging.LoggerAdapter):
    """A logger class as libraries define it."""

    @functools.lru_cache(None)  # noqa: B019
    def once(self, text: str) -> None:
        self.warning(text)


@pytest.fixture
def heard(capsys):
    """Collects all output while a test runs."""
    said = []

    class Handler(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    handler, logger = Handler(), logging.getLogger("of a library")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield lambda: said + "".join(capsys.readouterr()).splitlines()
    logger.removeHandler(handler)


def speak(word):
    logger = logging.getLogger("of a library")
    logger.debug("debug %s", word)
    logger.error("error %s", word)
    Once(logger, {}).once("once")
    print("print", word)
    print("print", word, file=sys.stderr)
    sys.stdout.writelines([f"line {word}\n"])
    warnings.warn("warned", stacklevel=1)
    warn("bound", stacklevel=1)
    torch.ones(1).var()


def test_a_second_pass_shows_no_output(heard):
    with warnings.catch_warnings(record=True) as caught, silenced(RandomGenerators()):
        warnings.simplefilter("always")
        speak("in")
    assert heard() == []
    assert caught == []


def test_a_second_pass_uses_nothing_up(heard):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        with silenced(RandomGenerators()):
            speak("in")
        speak("out")
    assert {str(warning.message).split(":")[0] for warning in caught} >= {"warned", "bound"}
    assert any("degrees of freedom" in str(warning.message) for warning in caught)
    said = ["debug out", "error out", "once"]
    assert heard() == [*said, "print out", "line out", "print out"]


def test_earlier_warnings_stay_registered(heard):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warnings.warn("again and again", stacklevel=1)
            with silenced(RandomGenerators()):
                warnings.warn("again and again", stacklevel=1)
    assert len(caught) == 1


def test_warnings_that_would_be_errors_raise_nothing(heard):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with silenced(RandomGenerators()):
            warnings.warn("no error", stacklevel=1)
        with pytest.raises(UserWarning, match="an error"):
            warnings.warn("an error", stacklevel=1)


def test_other_threads_are_not_silenced(heard):
    def other():
        speak("beside")
        warnings.warn_explicit("explicit", UserWarning, "a file", 3)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silenced(RandomGenerators()):
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            speak("in")
    said = ["debug beside", "error beside", "once"]
    assert heard() == [*said, "print beside", "line beside", "print beside"]
    assert {warning.filename for warning in caught} == {__file__, "a file"}


def test_everything_is_restored_even_if_threads_overlap(heard):
    before = [warnings.warn, vars(warnings)["_showwarnmsg"], *vars(logging.Logger).values()]
    write, always = vars(sys.stdout).get("write"), torch.is_warn_always_enabled()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with silenced(RandomGenerators()), silenced(RandomGenerators()):
            inside.set()
            leave.wait()
            print("unheard")

    thread = threading.Thread(target=other)
    with silenced(RandomGenerators()):
        thread.start()
        inside.wait()
    print("heard")
    leave.set()
    thread.join()
    assert heard() == ["heard"]
    assert before == [warnings.warn, vars(warnings)["_showwarnmsg"], *vars(logging.Logger).values()]
    assert vars(sys.stdout).get("write") is write
    assert torch.is_warn_always_enabled() is always


def test_an_error_ends_the_silencing(heard):
    with pytest.raises(KeyboardInterrupt), silenced(RandomGenerators()):
        raise KeyboardInterrupt
    print("heard")
    assert heard() == ["heard"]
