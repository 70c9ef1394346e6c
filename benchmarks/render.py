"""Results → Markdown tables, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["RENDERERS"]

_MODELS = {
    "logitkit": ("logitkit", "logitkit"),
    "fasttext": ("fastText", "fastText"),
    "tfidf_svc": ("TF-IDF + LinearSVC", "TF-IDF + LinearSVC"),
    "tfidf_lr": ("TF-IDF + logistic regression", "TF-IDF + 逻辑回归"),
}
_TASKS = {
    "softmax": ("softmax", "softmax"),
    "softmax over axis 0": ("softmax over axis 0", "沿第 0 轴的 softmax"),
    "cross_entropy + gradient": ("cross-entropy + gradient", "交叉熵 + 梯度"),
}
_PRODUCTS = {
    "linear": ("linear layer + cross-entropy", "线性层 + 交叉熵"),
    "info_nce": ("InfoNCE", "InfoNCE"),
    "info_nce both ways": ("InfoNCE, both ways", "InfoNCE，双向"),
}
_SELECTION = {"sample, ": "采样：", "temperature": "温度"}
_PEER_NAMES = {"torch": "PyTorch", "jax": "JAX", "scipy": "scipy", "numpy": "NumPy"}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine(record: dict[str, Any], chinese: bool) -> str:
    """Say on what the figures were measured."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    if chinese:
        return f"测量环境：{machine['processor']}，{record['threads']} 线程；Python {machine['python']}，{versions}。"
    return f"Measured on {machine['processor']}, {record['threads']} threads; Python {machine['python']}, {versions}."


def _by_set(
    record: dict[str, Any], chinese: bool, cell: Callable[[dict[str, Any], dict[str, dict[str, Any]]], str]
) -> str:
    """Return a table with a row a data set and a column a classifier."""
    rows = []
    shown = [model for model in _MODELS if any(row["model"] == model for row in record["results"])]
    for facts in record["sets"]:
        of_set = {row["model"]: row for row in record["results"] if row["set"] == facts["set"] and "skipped" not in row}
        title = f"{facts['title']} ({facts['classes']})"
        rows.append([title, *(cell(of_set[model], of_set) if model in of_set else "" for model in shown)])
    first = "数据集（类别数）" if chinese else "data (classes)"
    return _table([first, *(_MODELS[model][chinese] for model in shown)], rows)


def _classifiers(record: dict[str, Any], chinese: bool) -> str:
    def cell(row: dict[str, Any], of_set: dict[str, dict[str, Any]]) -> str:
        best = max(other["accuracy"] for other in of_set.values())
        accuracy = f"{100 * row['accuracy']:.1f}"
        error = row["expected_calibration_error"]
        parts = [
            f"**{accuracy}**" if row["accuracy"] == best else accuracy,
            "–" if error is None else f"{100 * error:.1f}",
            f"{_short(row['fit_s'])} s",
        ]
        return " · ".join(parts)

    if chinese:
        caption = "准确率 % · 校准误差 %（ECE，15 个等宽区间）· 训练时间（含特征与校准）；粗体为每行最高准确率。"
    else:
        caption = (
            "Accuracy % · calibration error % (ECE, 15 equal bins) · training time with features and calibration. "
            "Bold is the row's best accuracy."
        )
    return f"{caption}\n\n{_by_set(record, chinese, cell)}\n\n{_machine(record, chinese)}"


def _classifiers_use(record: dict[str, Any], chinese: bool) -> str:
    def cell(row: dict[str, Any], _: dict[str, dict[str, Any]]) -> str:
        per_s, size, peak = row["predict_texts_per_s"], row["model_bytes"] / 1e6, row["peak_memory_bytes"] / 1e6
        return f"{per_s / 1000:,.0f}k · {_short(size)} MB · {peak:,.0f} MB"

    caption = (
        "每秒预测文本数 · 模型文件 · 进程内存峰值" if chinese else "Texts predicted a second · model file · peak memory"
    )
    return f"{caption}\n\n{_by_set(record, chinese, cell)}\n\n{_machine(record, chinese)}"


def _start(record: dict[str, Any], chinese: bool) -> str:
    fresh = record["fresh_process"]
    title = next(facts["title"] for facts in record["sets"] if facts["set"] == fresh["set"])
    said = [
        ("import_s", "`import logitkit`", "`import logitkit`"),
        ("first_fit_cold_process_s", f"train {title}, kernels compiled anew", f"训练 {title}，首次编译内核"),
        ("first_fit_warm_process_s", f"train {title}, kernels in the cache", f"训练 {title}，内核已缓存"),
        ("predict_one_line_process_s", "`logitkit predict` of one line", "`logitkit predict` 预测一行"),
    ]
    rows = [[names[chinese], _seconds(fresh[key])] for key, *names in said]
    header = ["新进程", "用时"] if chinese else ["in a fresh process", "time"]
    return f"{_table(header, rows)}\n\n{_machine(record, chinese)}"


def _ops(record: dict[str, Any], chinese: bool) -> str:
    rows = []
    results = [
        result
        for result in record["results"]
        if result["task"] in _TASKS
        and result["bars"]
        and (result["dtype"] == "float32" or result["shape"] == [20_000, 1_000])
    ]
    peers = [peer for peer in _PEER_NAMES if any(peer in result["times_faster_than"] for result in results)]
    for result in results:
        dtype, ratios = result["dtype"], result["times_faster_than"]
        rows.append([
            _TASKS[result["task"]][chinese] + ("" if dtype == "float32" else f", {dtype}"),
            " × ".join(f"{size:,}" for size in result["shape"]),
            f"{_short(result['ms']['logitkit'])} ms",
            *(f"{ratios[peer]:.1f} ×" if peer in ratios else "" for peer in peers),
        ])  # fmt: skip
    if chinese:
        header = ["float32", "形状", "logitkit", *(f"比 {_PEER_NAMES[peer]} 快" for peer in peers)]
    else:
        header = ["float32", "shape", "logitkit", *(f"faster than {_PEER_NAMES[peer]}" for peer in peers)]
    return f"{_table(header, rows)}\n\n{_machine(record, chinese)}"


def _selection(record: dict[str, Any], chinese: bool) -> str:
    rows = []
    for result in record["results"]:
        if not result["bars"] and not result["task"].startswith("sample"):
            continue
        ms, ratios = result["ms"]["logitkit"], result["times_faster_than"]
        task = result["task"]
        for english, translated in _SELECTION.items() if chinese else ():
            task = task.replace(english, translated)
        rows.append([
            task,
            " × ".join(f"{size:,}" for size in result["shape"]),
            f"{1000 * ms:,.0f} µs",
            *(f"{ratios[peer]:.1f} ×" if peer in ratios else "" for peer in ("torch", "numpy")),
        ])  # fmt: skip
    if chinese:
        header = ["选取与采样", "形状", "logitkit", "比 PyTorch 快", "比 NumPy 快"]
    else:
        header = ["selection and sampling", "shape", "logitkit", "faster than PyTorch", "faster than NumPy"]
    return f"{_table(header, rows)}\n\n{_machine(record, chinese)}"


def _products(record: dict[str, Any], chinese: bool) -> str:
    rows = []
    for result in record["results"]:
        shape, ms, memory = result["shape"], result["ms"], result["extra_memory_bytes"]
        chunked = ms.get("torch chunked")
        rows.append([
            _PRODUCTS[result["task"]][chinese],
            f"{shape['rows']:,} × {shape['others']:,}, D = {shape['width']:,}",
            f"{ms['logitkit'] / 1000:.1f} s",
            f"{ms['logitkit'] / ms['products']:.2f} ×",
            f"{ms['torch'] / ms['logitkit']:.1f} ×",
            f"{chunked / ms['logitkit']:.1f} ×" if chunked else "",
            f"{memory['logitkit'] / 1e6:,.0f} / {memory['torch'] / 1e6:,.0f} MB",
        ])  # fmt: skip
    if chinese:
        header = [
            "损失与梯度",
            "形状",
            "logitkit",
            "矩阵乘法用时之比",
            "比 PyTorch 快",
            "比其分块版快",
            "额外内存：logitkit / PyTorch",
        ]
    else:
        header = ["loss and gradients", "shape", "logitkit", "of its bare products", "faster than PyTorch",
                  "than its chunked one", "extra memory: logitkit / PyTorch"]  # fmt: skip
    return f"{_table(header, rows)}\n\n{_machine(record, chinese)}"


def _features(record: dict[str, Any], chinese: bool) -> str:
    threads = record["threads"]
    rows = []
    for result in record["results"]:
        speeds = result["mb_per_s"]
        peers = [speed for name, speed in speeds.items() if "Vectorizer" in name]
        ours = (speeds[f"{work}, {threads} threads"] for work in ("fit", "transform"))
        rows.append(
            [result["set"], result["view"], *(f"{speed:,.0f}" for speed in ours), _short(max(peers, default=0))]
        )
    if chinese:
        header = ["文本 MB/秒", "n-gram", "学习", "转换", "scikit-learn 中最快者"]
    else:
        header = ["MB of text a second", "n-grams", "fit", "transform", "the fastest of scikit-learn"]
    return f"{_table(header, rows)}\n\n{_machine(record, chinese)}"


def _predict(record: dict[str, Any], chinese: bool) -> str:
    rows = [
        [
            {"csv": "CSV → CSV", "parquet": "Parquet → Parquet"}[result["format"]],
            f"`{' '.join(result['options'])}`" if result["options"] else "",
            f"{result['rows_per_s']:,}",
            f"{result['peak_memory_bytes'] / 1e6:,.0f} MB",
        ]
        for result in record["results"]
    ]
    header = (
        ["{:,} 行", "选项", "行/秒", "内存峰值"]
        if chinese
        else ["{:,} rows", "options", "rows a second", "peak memory"]
    )
    return f"{_table([header[0].format(record['rows']), *header[1:]], rows)}\n\n{_machine(record, chinese)}"


def _short(value: float) -> str:
    """Return two digits that count, and no more decimals than two."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


Render = Callable[[dict[str, Any], bool], str]
_LOGITS = {
    "densenet40_c10": ("DenseNet-40, CIFAR-10", "DenseNet-40，CIFAR-10"),
    "netcal_wrn16x4_c10": ("WRN-16-4, CIFAR-10", "WRN-16-4，CIFAR-10"),
    "netcal_wrn16x4_c100": ("WRN-16-4, CIFAR-100", "WRN-16-4，CIFAR-100"),
    "labelerrors_20news": ("20 Newsgroups", "20 Newsgroups"),
    "labelerrors_imdb": ("IMDB", "IMDB"),
    "multilabel_chestxray14": ("ChestX-ray14 (14 labels)", "ChestX-ray14（14 个标签）"),
}


def _calibration(record: dict[str, Any], chinese: bool) -> str:
    """Means over the splits of each file; the best peer is the best on average."""
    rows = []
    for file, title in _LOGITS.items():
        splits = [row for row in record["files"] if row["file"] == file]
        if not splits:
            continue
        means = {
            method: sum(row["log_loss"][method] for row in splits) / len(splits)
            for method in splits[0]["log_loss"]
            if all(row["log_loss"].get(method) is not None for row in splits)
        }
        ours = means.pop("logitkit")
        best = min(means, key=lambda method: means[method])
        before, ece = (sum(row[key] for row in splits) / len(splits) for key in ("before", "ece"))
        rows.append([title[chinese], f"{before:.4f}", f"**{ours:.4f}**" if ours <= means[best] else f"{ours:.4f}",
                     f"{means[best]:.4f} ({best})", f"{100 * ece:.1f}"])  # fmt: skip
    head = ["log loss on unseen rows", "as it comes", "logitkit, auto", "best of 11 peers", "ECE %"]
    if chinese:
        head = ["未见过的行上的对数损失", "原样", "logitkit，auto", "11 种同类方法中最好的", "ECE %"]
    timed = {row["fit"]: row for row in record["speed"]}
    t, m = timed["temperature"], timed["structured matrix"]
    t_ms, t_ratio, m_ms, m_ratio = t["logitkit_ms"], t["times_as_fast"], m["logitkit_ms"], m["times_as_fast"]
    note = (
        f"Temperature on 25,000 × 1,000 logits: {t_ms:.0f} ms, {t_ratio:.0f} × as fast as scikit-learn. "
        f"Structured matrix on 5,000 × 100: {m_ms:.0f} ms, {m_ratio:.1f} × as fast as probmetrics."
    )
    if chinese:
        note = (
            f"25,000 × 1,000 的 logits 拟合温度：{t_ms:.0f} ms，比 scikit-learn 快 {t_ratio:.0f} 倍。"
            f"5,000 × 100 拟合结构化矩阵：{m_ms:.0f} ms，比 probmetrics 快 {m_ratio:.1f} 倍。"
        )
    return f"{_table(head, rows)}\n\n{note}\n\n{_machine(record, chinese)}"


RENDERERS: dict[str, tuple[str, Render]] = {
    "classifiers": ("classifiers", _classifiers),
    "classifiers-use": ("classifiers", _classifiers_use),
    "start": ("classifiers", _start),
    "ops": ("ops", _ops),
    "selection": ("selection", _selection),
    "products": ("products", _products),
    "features": ("features", _features),
    "predict": ("predict", _predict),
    "calibration": ("calibration", _calibration),
}
"""The name of each table, the file in results/ that it is made of, and how."""
