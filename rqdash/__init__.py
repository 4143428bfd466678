"""rqdash: the operations dashboard for RQ on more than one Redis."""

__version__ = "0.1.0"
