"""Capabilities of this machine's processor."""

import os
from functools import cache
from pathlib import Path

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Names that Linux has for instructions that multiply bfloat16: Intel's and AMD's, and ARM's."""

ISA_WITHOUT_BFLOAT16 = {
    "SSE41",
    "AVX",
    "AVX2",
    "AVX2_VNNI",
    "AVX2_VNNI_2",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
}
"""Values of oneDNN's ``ONEDNN_MAX_CPU_ISA`` that keep it from such instructions."""


def multiplies_bfloat16() -> bool:
    """True if the processor multiplies bfloat16 in hardware, and oneDNN may have it do so.

    False where it cannot be told (other systems than Linux): float32 is fast everywhere.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return limit not in ISA_WITHOUT_BFLOAT16 and not BFLOAT16_FLAGS.isdisjoint(_processor_flags())


@cache
def _processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    return frozenset(
        flag
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    )
