"""Saved logits and labels → whether confidence can be believed, what mends it, and what can be promised.

`run` is the front door: it deals the rows (`rows`), lets calibrators and rules be fitted on some and judged on others
(`judging`, `methods`, `promises`, `labels`), puts the findings into `record.Audit` and says what they come to
(`verdict`).
"""
