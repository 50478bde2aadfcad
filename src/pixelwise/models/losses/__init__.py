"""Losses by name; each is a plain function of logits and targets."""
