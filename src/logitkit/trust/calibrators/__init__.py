"""Logits → probabilities that can be believed. `fit` is the front door, `methods` lists what there is.

`affine` and `one_vs_rest`, `venn_abers`, `multilabel` are the forms that calibrators have; each knows how to go into a
file and back, and `restore` finds the one that a file holds.
"""
