"""What files that hang, lie or are no files cost the good photos among which they lie.

    python benchmarks/hanging_files.py FOLDER

FOLDER holds real photos. 400 of them, and the same 400 with 12 bad files among them (a pipe, a
socket, a device, a link to itself, a terabyte, decompression bombs, 1,000 scans, PostScript without
an end, …), are predicted by turns by whole `kedro run`s with a tiny model, so that the files take
the time and not the network. Then the service gets both, from 4 clients at a time. Goals: every
photo gets the mask that it gets alone, every bad file a reason, and all are done within 1.2 times
the time of the good ones alone, by the medians of the turns.
"""

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.data.images import PHOTO_SUFFIXES
from car_segmentation.prediction.folder_job import PREDICTIONS_FILE
from car_segmentation.prediction.photo_files import MASKS
from data_processing import measure
from service import PORT, Server, ask_for_mask, start, stop

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.bad_photos import bad_contents, write_bad_photos
from tests.support.hostile_requests import many_scans, progressive

GOAL = 1.2
CLIENTS = 4
SCANS = 1000


def main() -> None:
    """Print the time of each turn, what was lost, and whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--number", type=int, default=400, help="of good photos")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.photos.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    if not files:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    if len(files) < arguments.number:
        print(f"{arguments.photos} has {len(files)} photos: some are taken again, renamed")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = _tiny_model(folder)
        for kind in ("alone", "among"):
            _link(files, arguments.number, folder / kind)
        bad = write_bad_photos(folder / "among")
        scans = many_scans(progressive(files[0].read_bytes()), SCANS)
        (folder / "among" / "scans.jpg").write_bytes(scans)  # Of a real size: each takes longer.
        problems = _predict_folders(folder, model, bad, arguments.turns)
        good = [path.read_bytes() for path in sorted((folder / "alone").iterdir())]
        hostile = list((bad_contents() | {"scans.jpg": scans}).values())
        problems += _ask_service(model, good, hostile, arguments.turns)
    print("\n".join(problems) or "every photo has its mask, every bad file a reason: goals met")
    sys.exit(bool(problems))


def _tiny_model(folder: Path) -> Path:
    """An untrained network with its threshold: what files cost does not depend on their masks."""
    with suppress_native_stderr():
        import keras

        from car_segmentation.networks.registry import build_network

        keras.utils.set_random_seed(0)
        network = build_network("segnet_unet", 64, 96, filters=[4, 8], centre_filters=8)
        network.save(folder / "model.keras")
    (folder / "threshold.json").write_text(json.dumps({"threshold": 0.5}))
    return folder / "model.keras"


def _link(files: Sequence[Path], number: int, folder: Path) -> None:
    folder.mkdir()
    for index in range(number):
        path = files[index % len(files)]
        (folder / f"{index:04d}-{path.name}").symlink_to(path.resolve())


def _predict_folders(folder: Path, model: Path, bad: Sequence[str], turns: int) -> list[str]:
    """Predict the folders by turns; return what is not as it should be."""
    problems: list[str] = []
    times: dict[str, list[float]] = {"alone": [], "among": []}
    for turn in range(turns):
        for kind, seconds in times.items():
            masks = folder / f"{kind}-{turn}"
            given = f"photos={folder / kind},predictions={masks},model={model}"
            seconds.append(measure("run", "--pipelines=inference", f"--params={given}")[0])
        problems += _compare(folder / f"alone-{turn}", folder / f"among-{turn}", bad)
        latest = ", ".join(f"{kind} {seconds[-1]:.1f} s" for kind, seconds in times.items())
        print(f"inference, turn {turn + 1}: {latest}", flush=True)
    return problems + _judge("inference", times)


def _compare(alone: Path, among: Path, bad: Sequence[str]) -> list[str]:
    expected, found = (
        {path.name: path.read_bytes() for path in (folder / MASKS).iterdir()}
        for folder in (alone, among)
    )
    problems = [
        f"{name} has no mask, or another one, beside bad files"
        for name in expected.keys() | found.keys()
        if found.get(name) != expected.get(name)
    ]
    table = pd.read_csv(among / PREDICTIONS_FILE, keep_default_na=False).set_index("photo")
    reasons = table.loc[table["height"] == "", "warnings"]
    if set(reasons.index) != set(bad) or not all(reasons):
        problems.append(f"{PREDICTIONS_FILE} lists {reasons.to_dict()}, and should {list(bad)}")
    if len(table) != len(expected) + len(bad):
        problems.append(f"{PREDICTIONS_FILE} has {len(table)} rows")
    return problems


def _ask_service(model: Path, good: Sequence[bytes], bad: Sequence[bytes], turns: int) -> list[str]:
    """Send good photos, alone and with bad ones between them, by turns; return problems."""
    problems: list[str] = []
    every = max(1, len(good) // 12)
    among = []  # Twelve bad ones, evenly spread.
    for index, photo in enumerate(good):
        if index % every == 0 and index // every < 12:
            among.append(bad[index // every % len(bad)])
        among.append(photo)
    times: dict[str, list[float]] = {"alone": [], "among": []}
    server = start("service", str(model))
    try:
        ask_for_mask(server, "/masks", good[0])
        for turn in range(turns):
            seconds, masks = _ask(server, good)
            times["alone"].append(seconds)
            seconds, replies = _ask(server, among)
            times["among"].append(seconds)
            if [reply for reply in replies if reply[0] == 200] != masks:
                problems.append("the service gave other masks beside bad files")
            refused = [reply for reply in replies if reply[0] != 200]
            if len(refused) != len(among) - len(good):
                problems.append(f"the service refused {len(refused)} files")
            if not all(400 <= status < 500 and content for status, content in refused):
                problems.append("the service refused a file without a reason, or broke")
            print(
                f"service, turn {turn + 1}: alone {times['alone'][-1]:.1f} s, among "
                f"{len(refused)} bad ones {times['among'][-1]:.1f} s",
                flush=True,
            )
    finally:
        stop(server)
    return problems + _judge(f"service, {CLIENTS} clients", times)


def _ask(server: Server, photos: Sequence[bytes]) -> tuple[float, list[tuple[int, bytes]]]:
    begin = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        replies = list(pool.map(lambda photo: ask_for_mask(server, "/masks", photo), photos))
    return time.perf_counter() - begin, [(reply.status, reply.content) for reply in replies]


def _judge(what: str, times: dict[str, list[float]]) -> list[str]:
    alone, among = (statistics.median(seconds) for seconds in times.values())
    print(f"{what}: {among:.1f} s beside bad files, {alone:.1f} s alone: {among / alone:.3f} times")
    return [] if among <= GOAL * alone else [f"{what}: {among / alone:.2f} times, goal {GOAL}"]


if __name__ == "__main__":
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            sys.exit(f"Something answers on port {PORT} already.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
