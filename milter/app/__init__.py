"""The one place that wires concrete classes: what a worker is made of."""
