"""What answering only where a model is sure means, in plain loops over Python floats. Imports nothing of ours."""

import itertools
import math


def curve(confidence, correct):
    """[(threshold, answered, errors)] of every distinct confidence, the largest first."""
    points = []
    for threshold in sorted(set(confidence), reverse=True):
        answers = [right for c, right in zip(confidence, correct, strict=True) if c >= threshold]
        points.append((threshold, len(answers), sum(not right for right in answers)))
    return points


def mean_risk(errors):
    """The mean over k of the error rate among the first k."""
    return math.fsum(sum(errors[: k + 1]) / (k + 1) for k in range(len(errors))) / len(errors)


def aurc(confidence, correct):
    """The area under the curve; among tied rows, each has the error rate of its tie."""
    errors = []
    for _, tied in itertools.groupby(sorted(zip(confidence, correct, strict=True), reverse=True), lambda row: row[0]):
        wrong = [not right for _, right in tied]
        errors += [sum(wrong) / len(wrong)] * len(wrong)
    return mean_risk(errors)


def aurc_of_all_orders(confidence, correct):
    """The same as the mean over every order of the rows that is a ranking by confidence."""
    areas = []
    for order in itertools.permutations(range(len(confidence))):
        ranked = [confidence[i] for i in order]
        if ranked == sorted(ranked, reverse=True):
            areas.append(mean_risk([not correct[i] for i in order]))
    return math.fsum(areas) / len(areas)


def best_aurc(correct):
    """The area of the ranking that has every error last."""
    return mean_risk(sorted(not right for right in correct))
