import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from car_segmentation.hooks.termination import sigterm_as_interrupt


def test_sigterm_interrupts_the_block_and_nothing_after_it() -> None:
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_from_outside_is_left() -> None:
    came = []
    signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with sigterm_as_interrupt():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert came == [signal.SIGTERM]


def test_a_thread_changes_nothing() -> None:
    def inside() -> object:
        with sigterm_as_interrupt():
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() is signal.SIG_DFL
