"""The pipelines, in the order that data flows through them."""
