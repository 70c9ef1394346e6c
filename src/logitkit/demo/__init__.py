"""The demo: real news in, the article's sentence out, every step shown."""

from logitkit.demo.run import SENTENCE, run_demo

__all__ = ["SENTENCE", "run_demo"]
