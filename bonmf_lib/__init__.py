"""Model code and study logic behind the notebooks.

Data flows one way: ``sources -> datasets -> encoders, splits -> models -> training -> evaluation ->
study``; a module imports only from its left. ``experiments`` ties the chain together for the notebooks.
"""

__version__ = "0.1.0"
