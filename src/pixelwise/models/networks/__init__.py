"""Networks: one file each, with ``build(labels, kind, **every option spelled out) -> Segmenter``."""
