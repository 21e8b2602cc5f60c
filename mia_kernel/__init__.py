"""MIA: read the E-mini S&P 500 order flow, decide, simulate, explain.

    import mia_kernel as mia
    day = mia.day("replay:2019-08-09")        # a recorded day, lazily read
    run = day.replay(weights="mia14")         # every decision, every simulated trade
    run.at("2019-08-09T09:45:15-05:00").why_not()

Names are looked up on first use, so importing the package (or one of its rooms) loads nothing else.
Nobody inside the package imports from here. Parsed by old Pythons too (see bootstrap.py).
"""

__version__ = "0.1.0"

# name -> module that holds it
_HOME = {
    "Desk": "mia_kernel.desk.attached",
    "attach": "mia_kernel.desk.attached",
    "day": "mia_kernel.desk.days",
    "post_mortem": "mia_kernel.desk.review",
    "review": "mia_kernel.desk.review",
    "holdings": "mia_kernel.desk.holdings",
    "sql": "mia_kernel.desk.holdings",
    "likeness": "mia_kernel.desk.likeness",
    "options": "mia_kernel.desk.options",
    "week": "mia_kernel.desk.review",
    "study": "mia_kernel.desk.learning",
    "model": "mia_kernel.desk.learning",
    "feature": "mia_kernel.features.spec",
    "Settings": "mia_kernel.settings",
    "Instrument": "mia_kernel.core.instrument",
}

# pyright: reportUnsupportedDunderAll=false
# The names are looked up on first use; their types stand in __init__.pyi.
__all__ = [
    "Desk",
    "Instrument",
    "Settings",
    "__version__",
    "attach",
    "day",
    "feature",
    "holdings",
    "likeness",
    "model",
    "options",
    "post_mortem",
    "review",
    "sql",
    "study",
    "week",
]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError("module 'mia_kernel' has no %r; it has: %s" % (name, ", ".join(__all__)))
    import importlib

    home = importlib.import_module(_HOME[name])
    value = getattr(home, name, home) if _HOME[name].endswith("." + name) else getattr(home, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)


def load_ipython_extension(ipython):
    """`%load_ext mia_kernel`: register `%mia` and `%%mia`."""
    import importlib

    importlib.import_module("mia_kernel.desk.magics").register(ipython)
