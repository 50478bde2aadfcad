"""The claim that a label format makes on a folder it recognises."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """What a format saw: the dialect in its own words, and why it thinks so."""

    dialect: str
    why: str
