import errno
import multiprocessing
import os
import time
from collections.abc import Iterator
from functools import partial

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.parallel import in_fresh_process, map_bounded, map_photos


def test_results_keep_the_order_of_the_items(capsys) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * 10

    assert map_photos(slow_first, range(8), 8, "count") == [n * 10 for n in range(8)]
    assert "count: 100%" in capsys.readouterr().err


def test_a_few_items_are_worked_on_ahead_and_no_more() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    for number, result in enumerate(map_bounded(lambda item: item * 2, items(), ahead=3), start=1):
        assert result == 2 * (number - 1)
        assert len(taken) <= number + 2
    assert len(taken) == 20


def test_the_first_error_ends_a_bounded_map() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_bounded(lambda item: 1 / item, [2, 1, 0, 1], ahead=2))


def test_a_fresh_process_is_another_one_and_returns_its_result() -> None:
    assert in_fresh_process(os.getpid, "this") != os.getpid()


def test_errors_of_a_fresh_process_are_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        in_fresh_process(partial(divmod, 1, 0), "this")


def test_a_killed_process_is_named() -> None:
    with pytest.raises(UserError, match=r"The network x was killed.*out of memory"):
        in_fresh_process(partial(os._exit, 9), "The network x")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        OSError(errno.ENOSYS, "Function not implemented"),
        ImportError("This platform lacks a functioning sem_open implementation"),
    ],
)
def test_without_shared_semaphores_threads_do_what_processes_would(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class WithoutSharedMemory:
        def Semaphore(self) -> None:  # noqa: N802  As multiprocessing calls it.
            raise error

    monkeypatch.setattr(multiprocessing, "get_context", lambda *_: WithoutSharedMemory())
    processes = map_photos(lambda number: (number, os.getpid()), range(8), 8, "count")
    assert processes == [(number, os.getpid()) for number in range(8)]
    assert "count: 100%" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"The network x needs a process .*/dev/shm writable"):
        in_fresh_process(os.getpid, "The network x")
