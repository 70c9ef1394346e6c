"""Texts of all scripts, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

# Characters that Unicode has had for long, so that every Python knows them as the committed table does.
SCRIPTS = [
    "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789",
    "àéîöüßñçÅØŁžİıſ",
    "абвгджзёйшщАБВЖ",
    "αβγσςΣΩά",
    "中文人工智能新闻我你的一不",
    "ぁあいのはカタナーンｱｶﾞ",
    "한국어텍스트가각",
    "\u1112\u1161\u11ab",  # Hangul letters that compose
    "ภาษาไทยนี้",
    "العربيةمرحبا",
    "हिन्दीक्षत्र",
    "\u0301\u0308\u0327\u093c\u3099",  # marks that combine with what is before
    "ＡＢｃ１２３，！？：；（）～＿＾｀",
    "ﬁ①Ⅳ²½℃㈱™…",
    ".,!?;:'\"()[]{}<>@#$%^&*-_=+|/\\~`€£¥“”—。、",
    "🙂👍🏽👩\u200d💻❤\ufe0f🇩🇪",
    " \t\n\r\u00a0\u3000\u2028",
    "\x00\x01\x1f\x7f\u200b\u200d\ufeff\ufffd\ufffe",
    "\ue000\U000f0000\u0378\U000e0100",  # private, unassigned, a variation selector
]

characters = st.sampled_from(SCRIPTS).flatmap(st.sampled_from)
words = st.sampled_from(SCRIPTS).flatmap(lambda script: st.text(st.sampled_from(script), min_size=1, max_size=9))
texts = st.one_of(
    st.just(""),
    st.text(characters, max_size=30),
    st.lists(words, max_size=12).map(" ".join),
    st.lists(words, max_size=12).map("".join),
    st.lists(st.sampled_from(["to", "be", "or", "not", "中", "文", "ok", " ", ", "]), max_size=40).map(" ".join),
    st.integers(60, 70).map(lambda n: "ab" * n + "c"),
)
columns = st.lists(texts, max_size=8)

orders = st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda pair: (min(pair), max(pair)))
