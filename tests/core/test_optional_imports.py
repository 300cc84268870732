"""Packages that cannot be imported for a while."""

import importlib
import sys

import pytest

from car_segmentation.core.optional_imports import left_out


def test_a_package_is_missing_for_a_while_with_all_that_is_in_it() -> None:
    for name in ("wsgiref", "wsgiref.util"):
        sys.modules.pop(name, None)
    with left_out("wsgiref"):
        for name in ("wsgiref", "wsgiref.util"):
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module(name)
    assert importlib.import_module("wsgiref.util").__name__ == "wsgiref.util"


def test_what_is_loaded_stays() -> None:
    before = sys.modules["json"]
    with left_out("json"):
        assert importlib.import_module("json") is before
    assert sys.modules["json"] is before


def test_an_error_leaves_nothing_behind() -> None:
    sys.modules.pop("wsgiref", None)
    with pytest.raises(ZeroDivisionError), left_out("wsgiref"):
        raise ZeroDivisionError
    assert importlib.import_module("wsgiref").__name__ == "wsgiref"
