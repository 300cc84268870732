"""Photos, masks and annotations on disk become arrays: read, pair, check, split, augment."""
