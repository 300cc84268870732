"""The sections of the report, a file each: contents in, a `html.Section` out."""
