from pathlib import Path

import pytest

from car_segmentation.core import processor
from car_segmentation.core.processor import multiplies_bfloat16


@pytest.mark.parametrize(
    ("cpuinfo", "limit", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16 amx_tile", None, True),
        ("flags : fpu amx_bf16", "AVX512_CORE_AMX", True),
        ("flags : fpu avx2 avx512_bf16", "AVX2", False),
        ("flags : fpu avx2 avx512f", None, False),
        ("model name : avx512_bf16", None, False),
        ("Features : fp asimd bf16", None, True),
        (None, None, False),
    ],
)
def test_whether_the_processor_multiplies_bfloat16(
    cpuinfo: str | None,
    limit: str | None,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_text(path: Path) -> str:
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    processor._processor_flags.cache_clear()
    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert multiplies_bfloat16() is expected
    processor._processor_flags.cache_clear()
