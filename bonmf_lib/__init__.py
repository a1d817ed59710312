"""Model code and study logic behind the notebooks.

Packages build on one another in one order, and a module imports only from its own package and those
to its left (``tests/unit/test_architecture.py``)::

    datasets, encoders, splits, models, training, evaluation, runs, experiments, studies, claims,
    report, audit

Single files at the top (errors, storage, device, ...) are what all of them stand on.
"""

__version__ = "0.1.0"
