"""Showing: exhibits as HTML, figures and notebook outputs, in any language. matplotlib loads when a figure is drawn."""

from .checks import check_exhibits
from .display import display
from .figures import FIGURES, figure_png
from .tables import render

__all__ = ["FIGURES", "check_exhibits", "display", "figure_png", "render"]
