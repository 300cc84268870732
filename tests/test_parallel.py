import time

from car_segmentation.parallel import map_photos


def test_results_keep_the_order_of_the_items(capsys) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * 10

    assert map_photos(slow_first, range(8), 8, "count") == [n * 10 for n in range(8)]
    assert "count: 100%" in capsys.readouterr().err
