"""Write shares of a whole as people read them."""


def percent(share: float) -> str:
    """Write a share; what is little never looks like nothing.

    >>> percent(0.5), percent(1e-6), percent(0)
    ('50.00 %', '< 0.01 %', '0 %')
    """
    return f"{100 * share:.2f} %" if share >= 0.0001 else "< 0.01 %" if share > 0 else "0 %"
