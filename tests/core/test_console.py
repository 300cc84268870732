import os

import pytest

from car_segmentation.core.console import suppress_native_stderr


def test_a_quiet_start_swallows_chatter_of_compiled_code(capfd: pytest.CaptureFixture) -> None:
    with suppress_native_stderr():
        os.write(2, b"chatter")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_a_quiet_start_that_fails_shows_everything(capfd: pytest.CaptureFixture) -> None:
    def fail_aloud() -> None:
        with suppress_native_stderr():
            os.write(2, b"the reason")
            raise ImportError

    with pytest.raises(ImportError):
        fail_aloud()
    assert capfd.readouterr().err == "the reason"
