"""From a photo to probabilities to a mask; a folder of photos; cut-outs and composites."""
