"""A learning filter: logistic regression over hashed words and byte n-grams.

`features` turns named byte fields into slots, `model` scores and learns, `weights` keeps the slots
in a file that all workers map.
"""
