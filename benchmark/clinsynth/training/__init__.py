"""From rows and a recipe to predictions. The only place that imports torch."""
