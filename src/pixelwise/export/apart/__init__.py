"""Programs that run in environments of their own, because what they need does not fit beside this project's torch.

They import nothing of Pixelwise: each is started by its path, and what it needs stands in ``pixelwise.export.environment``.
"""
