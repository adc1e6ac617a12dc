"""How results look. The one place that knows rich."""
