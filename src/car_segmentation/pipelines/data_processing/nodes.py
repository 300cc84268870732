"""Nodes of the data_processing pipeline."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import is_mlflow_model
from car_segmentation.core.tables import read_table
from car_segmentation.core.text import printable
from car_segmentation.data.annotations import NOTHING_CUT_OUT
from car_segmentation.data.augmentation import (
    Augmentation,
    augment_pair,
    draw_generator,
    draw_warp,
    share_in_frame,
)
from car_segmentation.data.image_files import Limits
from car_segmentation.data.image_stack import ImageStack, object_plane
from car_segmentation.data.masks import MaskReading, MaskRules, read_class_colours
from car_segmentation.data.overview import (
    check_object_values,
    describe_vanishing,
    photos_to_look_at,
    summarise,
)
from car_segmentation.data.pair_checks import check_pairs, first_cars, reason_against
from car_segmentation.data.pairing import (
    NOT_ANNOTATED,
    REJECTED_COLUMNS,
    NameRules,
    describe_files,
    one_of_each_kind,
    pair_by_name,
)
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos
from car_segmentation.data.splits import check_splits, keep_splits, rows_of_split, split_by_car
from car_segmentation.experiments.model_registry import splits_of
from car_segmentation.parameters import (
    AugmentationRanges,
    Checks,
    ImageSize,
    Masks,
    Pairing,
    Split,
    Subject,
)
from car_segmentation.report.colours import rgb
from car_segmentation.report.contact_sheets import contact_sheet, fitted, photo_sheet
from car_segmentation.report.error_maps import outlined

logger = logging.getLogger(__name__)

NO_LOSSES = (NOT_ANNOTATED, NOTHING_CUT_OUT)
"""Why photos are left out of a set that is only partly annotated, or shows other things too."""
SHOWN_PHOTOS, SHOWN_COLUMNS, SHOWN_WIDTH = 30, 6, 240
"""Photos on the sheet of the data, how many side by side, and how wide in pixels."""
SHEET_CARS = 4
"""Cars on the contact sheet of augmentations, in rows."""
SHEET_DRAWS = 3
"""Draws beside each original."""
SHEET_CELL_WIDTH = 360
CHECKED_DRAWS = 100
"""Warps of each sample car that are checked for what they push out of the photo."""
CHECKED_STEP = 4
"""Step, in pixels, at which a mask is sampled for that."""
OUTLINE = rgb("outline")
"""A colour that no studio has."""
IGNORED_GREY = 128
"""Of pixels of which nobody said what they are, on the sheet of the data."""
BRIGHT_BORDER = 0.5
"""Fraction of the outermost pixels that a mask's object rarely covers."""
HALF_COVERED = 127
"""A soft mask's level from which the car covers more than half of the pixel."""


def pair_photos_with_masks(
    photo_files: Sequence[Path],
    mask_files: Sequence[Path],
    drawn_masks: pd.DataFrame,
    raw_data: str,
    photo_folder: str,
    mask_folder: str,
    pairing: dict[str, Any],
    subject: dict[str, str],
    annotations: Any,  # A path, several, or None: Kedro warns of a union of these.
    corrections: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pair every photo with its mask, and list the files that have no partner."""
    settings, raw = Pairing(**pairing), Path(raw_data).absolute()
    photo_files, mask_files = (
        [path for path in files if not path.is_relative_to(raw / corrections)]
        for files in (photo_files, mask_files)
    )
    if not photo_files:
        raise UserError(
            f"There are no photos in {raw_data}/{photo_folder}. Put photos there and masks in "
            f"{raw_data}/{mask_folder}, name another folder with "
            "--params=raw_data=FOLDER, change the two names in conf/*/globals.yml, or try "
            "the rendered demo with `make run`. Carvana's photos are at "
            "https://www.kaggle.com/c/carvana-image-masking-challenge (train.zip and "
            "train_masks.zip)."
        )
    is_drawn = drawn_masks["mask_path"] != ""
    drawn, problems = drawn_masks[is_drawn], drawn_masks.loc[~is_drawn, REJECTED_COLUMNS]
    by_photo = dict(zip(map(Path, drawn["path"]), map(Path, drawn["mask_path"]), strict=True))
    found = pair_by_name(
        photo_files,
        mask_files,
        raw / photo_folder,
        raw / mask_folder,
        NameRules(settings.name_pattern, settings.mask_suffix, settings.mask_pattern),
        by_photo,
        annotated=annotations is not None,
    )
    # A photo whose annotation cannot be drawn is not used, even if it has a mask.
    pairs = found.pairs[~found.pairs["photo_path"].isin(problems["path"])].reset_index(drop=True)
    rejected = found.rejected[~found.rejected["path"].isin(problems["path"])]
    rejected = pd.concat([problems, rejected], ignore_index=True)
    if found.aside:
        logger.info("%s were skipped", describe_files(found.aside))
    if found.hint:
        logger.warning("%d photos have no mask of their name. %s", len(photo_files), found.hint)
    sidecars = [path for path in found.aside if path.suffix.lower() in {".json", ".xml", ".txt"}]
    if annotations is None and found.pairs.empty and sidecars:
        logger.warning(
            "No photo has a mask, but there are %s. If a labelling tool wrote them, they can take "
            "the place of masks: write annotations: %s (docs/annotations.md).",
            describe_files(sidecars),
            photo_folder,
        )
    if found.unmatched:
        logger.warning(
            "pairing.name_pattern does not match the names of %d of %d photos, %s the first: each "
            "of them counts as another %s. If some show the same, fix the pattern, or they get "
            "into different splits and scores are too optimistic; if none do, set it to null.",
            len(found.unmatched),
            len(pairs),
            found.unmatched[0],
            Subject(**subject).one,
        )
    return first_cars(pairs, settings.max_cars), rejected


def resize_masks(
    photo_pairs: pd.DataFrame,
    raw_data: str,
    mask_folder: str,
    annotations: str | None,
    masks: dict[str, Any],
    image: dict[str, Any],
    checks: dict[str, Any],
    soft_masks_folder: Path,
    own_masks_folder: Path,
) -> ImageStack:
    """Check every mask and resize it by area averaging to a soft target, in a mapped array."""
    size, settings, meaning = ImageSize(**image), Checks(**checks), Masks(**masks)
    raw = Path(raw_data)
    reading = MaskReading(
        meaning.foreground, meaning.ignore, read_class_colours([raw / mask_folder, raw])
    )
    return write_resized_masks(
        soft_masks_folder,
        photo_pairs["photo_id"].tolist(),
        photo_pairs["mask_path"].tolist(),
        size.height,
        size.width,
        MaskRules(
            reading,
            settings.max_megapixels,
            settings.max_grey_share,
            keeps_ignored=bool(meaning.ignore) or annotations is not None,  # Crowds, void borders.
        ),
        own_masks_folder,
    )


def resize_photos(
    photo_pairs: pd.DataFrame,
    soft_masks: ImageStack,
    image: dict[str, Any],
    checks: dict[str, Any],
    photos_folder: Path,
) -> ImageStack:
    """Check every photo and resize it by area averaging, in a mapped array."""
    size, ids = ImageSize(**image), photo_pairs["photo_id"].tolist()
    return write_resized_photos(
        photos_folder,
        ids,
        photo_pairs["photo_path"].tolist(),
        size.height,
        size.width,
        Limits(Checks(**checks).max_megapixels),
        [
            partial(reason_against, mask_path, soft_masks.notes[photo_id])
            for photo_id, mask_path in zip(ids, photo_pairs["mask_path"], strict=True)
        ],
    )


def check_photos_and_masks(
    photo_pairs: pd.DataFrame,
    photos: ImageStack,
    soft_masks: ImageStack,
    unpaired_files: pd.DataFrame,
    car_metadata: pd.DataFrame,
    masks: dict[str, Any],
    checks: dict[str, Any],
    data_folder: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Keep every pair that can be used, with its size and area, and say why not the rest."""
    settings, meaning = Checks(**checks), Masks(**masks)
    checked, broken = check_pairs(photo_pairs, photos.notes, soft_masks.notes)
    rejected = pd.concat([unpaired_files, broken], ignore_index=True)
    _stop_if_too_many_are_rejected(len(checked), rejected, settings.max_rejected_share, data_folder)
    notes = [soft_masks.notes[name] for name in checked["photo_id"]]
    _warn_of_inverted_masks(notes)
    if meaning.foreground is None:
        check_object_values(notes)
    if meaning.ignore and not any("ignored_share" in note for note in notes):
        logger.warning("No mask contains a value of masks.ignore: %s", list(meaning.ignore))
    vanishing = describe_vanishing(checked, notes, *soft_masks.pixels.shape[1:3])
    if vanishing:
        logger.warning("%s", vanishing)
    formats = [photos.notes[name]["format"] for name in checked["photo_id"]]
    summary = summarise(checked, formats, notes)
    table = checked.merge(_one_row_per_car(car_metadata), on="car", how="left")
    return table, rejected, summary


def split_cars(
    photo_table: pd.DataFrame, split: dict[str, Any], seed: int, subject: dict[str, str]
) -> pd.DataFrame:
    """Give every photo its split, all views of a car the same, balanced by mask area."""
    settings, words = Split(**split), Subject(**subject)
    if settings.keep is not None:
        splits = keep_splits(photo_table, _read_splits(settings.keep), settings.keep, words)
    else:
        drawn_with = seed if settings.seed is None else settings.seed
        splits = split_by_car(
            *(photo_table, settings.fractions.model_dump(), drawn_with),
            *(settings.folds, settings.fold, words),
        )
    cars = photo_table.groupby(splits)["car"].agg(["size", "nunique"])
    for name, (photos, number) in cars.iterrows():
        logger.info("%s: %d photos of %s", name, photos, words.count(number))
    return photo_table.assign(split=splits)


def _read_splits(place: str) -> pd.DataFrame:
    try:
        table = (
            splits_of(place) if is_mlflow_model(place) else read_table(Path(place), others="text")
        )
    except FileNotFoundError:
        raise UserError(f"split.keep: there is no {place}.") from None
    check_splits(table, place)
    return table


def show_data(photos: ImageStack, soft_masks: ImageStack, photo_splits: pd.DataFrame) -> np.ndarray:
    """Draw the outlines of masks on photos of all splits, to be looked at before training."""
    shown = photos_to_look_at(photo_splits, SHOWN_PHOTOS)
    ids = shown["photo_id"].tolist()
    heights = np.rint(SHOWN_WIDTH * shown["height"] / shown["width"]).clip(1).astype(int)
    rows = zip(photos.rows_of(ids), soft_masks.rows_of(ids), heights, strict=True)
    pictures = (
        _with_mask(
            fitted(photos.pixels[photo], SHOWN_WIDTH, height),
            fitted(soft_masks.pixels[mask], SHOWN_WIDTH, height),
        )
        for photo, mask, height in rows
    )
    captions = [f"{split}: {name}" for split, name in zip(shown["split"], ids, strict=True)]
    return photo_sheet(pictures, captions, SHOWN_COLUMNS, SHOWN_WIDTH)


def augment(
    photos: ImageStack,
    soft_masks: ImageStack,
    photo_splits: pd.DataFrame,
    augmentation: dict[str, Any],
    seed: int,
    subject: dict[str, str],
) -> tuple[dict[str, Any], np.ndarray]:
    """Try the augmentation on real training photos, before and after, and hand it on checked."""
    ranges = AugmentationRanges(**augmentation)
    settings = Augmentation(**ranges.model_dump(exclude={"min_in_frame"}))
    samples = _sample_photos(rows_of_split(photo_splits, "train"))
    pairs = [
        (photos.pixels[photo_row], object_plane(soft_masks.pixels[mask_row]))
        for photo_row, mask_row in zip(
            photos.rows_of(samples), soft_masks.rows_of(samples), strict=True
        )
    ]
    share = _share_kept([mask for _, mask in pairs], settings, seed)
    if share < ranges.min_in_frame:
        raise UserError(
            f"The augmentation keeps {share:.0%} of the {Subject(**subject).many} inside the "
            f"photo, and augmentation.min_in_frame asks for {ranges.min_in_frame:.0%}. Lower "
            "augmentation.shift, scale or rotate."
        )
    always = replace(settings, probability=1.0, colour_probability=1.0)
    rows = []
    for row, pair in enumerate(pairs):
        drawn = [
            augment_pair(*pair, always, draw_generator(seed, draw, row))
            for draw in range(SHEET_DRAWS)
        ]
        rows.append(
            [outlined(photo, mask > HALF_COVERED, OUTLINE) for photo, mask in (pair, *drawn)]
        )
    captions = [f"{photo_id}: before, and {SHEET_DRAWS} draws" for photo_id in samples]
    return asdict(settings), contact_sheet(rows, captions, SHEET_CELL_WIDTH)


def _with_mask(photo: np.ndarray, soft_mask: np.ndarray) -> np.ndarray:
    """A photo with the outline of its mask, and what is ignored in plain grey."""
    picture = photo.copy()
    if soft_mask.ndim == 3:
        picture[soft_mask[..., 1] > HALF_COVERED] = IGNORED_GREY
    return outlined(picture, object_plane(soft_mask) > HALF_COVERED, OUTLINE)


def _sample_photos(training_photos: pd.DataFrame) -> list[str]:
    """Ids of a few photos, each of another car and from another side."""
    cars = [views for _, views in training_photos.groupby("car", sort=True)][:SHEET_CARS]
    return [
        views["photo_id"].iloc[number * len(views) // len(cars)]
        for number, views in enumerate(cars)
    ]


def _share_kept(soft_masks: Sequence[np.ndarray], augmentation: Augmentation, seed: int) -> float:
    """The fraction of the cars, 0 to 1, that warps keep inside the photo; the mean over draws."""
    shares = []
    for row, mask in enumerate(soft_masks):
        coarse = mask[::CHECKED_STEP, ::CHECKED_STEP] > HALF_COVERED
        height, width = coarse.shape
        for draw in range(CHECKED_DRAWS):
            matrix = draw_warp(augmentation, height, width, draw_generator(seed, draw, row))
            shares.append(share_in_frame(coarse, matrix))
    return float(np.mean(shares))


def _stop_if_too_many_are_rejected(
    used: int, rejected: pd.DataFrame, max_share: float, data_folder: str
) -> None:
    """Count what was rejected in one warning; stop where it is most of the data."""
    if rejected.empty:
        return
    losses = rejected[~rejected["reason"].isin(NO_LOSSES)]
    share = len(losses) / max(used + len(losses), 1)
    first = rejected.iloc[0] if losses.empty else losses.iloc[0]
    summary = (
        f"{len(rejected)} files were rejected and {used} pairs of photo and mask can be used; "
        f"the first: {printable(first['path'])} {printable(first['reason'])}."
    )
    if len(losses) < len(rejected):
        number = len(rejected) - len(losses)
        summary += f" {number} of them are not annotated, or show nothing that is cut out."
    if used == 0 or share > max_share:
        shown = rejected if losses.empty else losses
        raise UserError(
            f"{summary} That is {share:.0%}, and checks.max_rejected_share allows "
            f"{max_share:.0%}. One of each kind:\n  " + "\n  ".join(one_of_each_kind(shown))
        )
    logger.warning("%s All of them: %s/02_intermediate/rejected_photos.csv", summary, data_folder)


def _warn_of_inverted_masks(notes: Sequence[Mapping[str, Any]]) -> None:
    """Say so where most masks are bright along most of the photo's border."""
    inverted = sum(note.get("border_share", 0) > BRIGHT_BORDER for note in notes)
    if inverted > len(notes) / 2:
        logger.warning(
            "In %d of %d masks most of the photo's border is bright. Are they inverted? Bright is "
            "what is cut out.",
            inverted,
            len(notes),
        )


def _one_row_per_car(car_metadata: pd.DataFrame) -> pd.DataFrame:
    return car_metadata.rename(columns={"id": "car"}).drop_duplicates("car")
