"""What only the page of an audit says, in Chinese. The keys are those of `audit_page_en`."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    # 页首
    "head.kicker": "审计 · {name}",
    "head.believe": "可以相信",
    "head.over": "过于自信",
    "head.under": "过于保守",
    "head.mixed": "时而过高，时而过低",
    "head.nothing": "无从评判",
    "head.other": "这些 logits 有多可信",
    "notes.title": "关于数据，需要知道的",
    # 可靠性
    "belief.title": "置信度与事实",
    "belief.text": "置信度 90% 是一种预测：在许多这样的预测中，应当有 90% 是对的。置信度分为若干区间，"
    "每个点代表一个区间；点落在虚线上，说明置信度恰好等于正确率。穿过点的竖线是真实正确率的可能范围（95%），"
    "行数越少，竖线越长。下方的柱子是各区间的行数。",
    "belief.text_labels": "每一行的每个标签都是一个是非题，置信度就是所给答案的概率。每个点代表一个置信度区间；"
    "点落在虚线上，说明置信度恰好等于正确率。穿过点的竖线是真实正确率的可能范围（95%）。下方的柱子是各区间的答案数。",
    "belief.before": "校准前：原样",
    "belief.after": "校准后：{method:method}",
    "belief.after_labels": "校准后：逐个标签校准",
    "belief.point": "置信度 {mean:p0}：判对 {share:p0}，共 {count} 个",
    "belief.axis_x": "置信度（%）",
    "belief.axis_y": "实际正确率（%）",
    "belief.axis_n": "各区间的预测数",
    "belief.numbers": "用表格看这两张图",
    "belief.bin": "置信度",
    "belief.rows": "预测数",
    "belief.mean": "模型说",
    "belief.right": "实际判对",
    "belief.measures": "<b>对数损失</b>和 <b>Brier 分数</b>惩罚自信的错误，越低越好。<b>校准误差</b>"
    "是置信度与实际正确率的平均差距，这里按等宽区间计算；它下面的几行用别的方法度量同一差距。<b>风险–覆盖率曲线下面积</b>"
    "是各个阈值下错误率的平均值。",
    "belief.parts": "<b>校准</b>是损失中可以靠更准的置信度省下的部分；<b>细化</b>是任何校准方法都省不掉的部分，"
    "因为 logits 本身分不清这些类别。",
    # 方法
    "methods.title": "怎样修正",
    "methods.text": "所有方法都用同一批行拟合，再用另一批行评判。点是数值，穿过点的线是 {level:p} 区间；"
    "箭头表示远在图外。越靠左越好。",
    "methods.auto": "方法的选择依据的是拟合行上的交叉验证，而不是这里的数字：在与最优方法相差不超过一个标准误的方法中，"
    "取最简单的一个。",
    "methods.asked": "方法是指定的，并非按数字选出。",
    "methods.temperature": "logits 除以的温度是 {temperature:n3}。",
    "methods.picture_log_loss": "对数损失",
    "methods.picture_error": "校准误差（%）",
    "methods.infinite": "无穷大",
    "methods.trials": "方法是怎样选出的",
    # 直方图
    "logits.title": "判对与判错的行，logits 相差多少",
    "logits.margin": "一行的间隔，是最大的 logit 减去第二大的 logit；最后一根柱子包含所有更大的间隔。"
    "判对的行向上画，判错的行向下画，"
    "各按自己的总数计算比例。两者重叠越少，阈值就越能把它们分开。",
    "logits.logit": "按最大的 logit 统计。判对的行向上画，判错的行向下画，各按自己的总数计算比例。"
    "两者重叠越少，阈值就越能把它们分开。",
    "logits.infinite": "因为是无穷大而没有画出的：{rows:row}。",
    "logits.axis_margin": "间隔",
    "logits.axis_logit": "最大的 logit",
    "logits.right": "判对：{rows:row}",
    "logits.wrong": "判错：{rows:row}",
    "logits.told": "判对 {right} 行，多在 {at_right:n1} 附近；判错 {wrong} 行，多在 {at_wrong:n1} 附近。",
    # 拒答
    "abstention.title": "什么时候该说“我不知道”",
    "abstention.text": "只回答最有把握的：越往左，回答的行越少；越往下，答错的比例越低。",
    "abstention.rings": "圆圈标出的阈值保证了一个错误率，它由一半的行选定，用另一半的行检验。",
    "abstention.none": "没有哪个阈值能保证下面的任何一个比例。",
    "abstention.curve": "错误率与回答比例",
    "abstention.axis_x": "回答的行（%）",
    "abstention.axis_y": "答错的比例（%）",
    "abstention.start": "曲线从回答 {coverage:p} 的行开始；再往左，行数太少，说明不了什么。",
    "abstention.promised": "不超过 {max_error:p}",
    "abstention.told": "回答 {coverage:p0} 的行时，校准前答错 {before:p1}，校准后答错 {after:p1}。",
    # 预测集
    "sets.title": "哪些类别不能排除",
    "sets.text": "预测集包含所有不能排除的类别。只要新数据与这些行来自同一分布，无论模型错得多离谱，"
    "预测集漏掉真实类别的比例都不会超过所保证的值。模型越好，预测集越小。“逐类”是指对每个类别分别作出保证。",
    # 未知输入
    "unknown.title": "与模型所知不同的输入",
    "unknown.text": "每种方法都给输入算出一个数，输入越不像模型见过的，这个数越大；超过阈值就报警。"
    "<b>AUROC（错误）</b>：这个数把判错的排在判对的前面，排得有多好；0.5 等于随机，1 是完美。",
    "unknown.given": "<b>AUROC（未知）</b>：把未知输入排在已知输入前面，排得有多好。<b>95% 时的 FPR</b>：让 95% "
    "的已知输入通过时，有多少未知输入也会通过。<b>检出</b>：超过阈值的未知输入所占的比例。",
    "unknown.none": "未知输入能检出多少，这里没有测量："
    "<code>--unknown FILE</code> 可以读入不属于任何类别的输入的 logits。",
    # 类别与标签
    "classes.title": "逐类来看",
    "classes.text": "<b>精确率</b>：判为某类的行中，真正属于该类的比例。<b>召回率</b>：属于某类的行中，被找出来的比例。"
    "<b>模型说</b>是该类的平均概率，<b>实际是</b>是它作为标签出现的比例：两者不同，说明这一类报得太多或太少。",
    "labels.title": "逐个标签来看",
    "labels.text": "每个标签都有自己的校准器。数字说的是“标签适用”的概率，取自没有参与拟合的行。",
    "suspects.title": "可能有误的标签",
    "suspects.text": "校准后的概率明显支持标签以外的另一个类别（置信学习）。"
    "并非每一个都真的错了，请从可能性最大的看起。行号按 {name} 中的顺序从 0 算起。",
    "suspects.none": "在 {rows:row}中，没有标签看起来是错的。",
    # 使用与说明
    "use.title": "怎样使用",
    "use.text": "第一条命令把校准器和各项规则写入一个文件，第二条命令把它们用于同一模型的新 logits。"
    "然后是 Python 中的写法。",
    "use.comment": "标签或无、概率、理由",
    "use.comment_labels": "每个标签的概率",
    "made.title": "这份报告是怎样得出的",
    "made.text": "除注明用于拟合的以外，所有数字都取自校准器没有见过的行。区间（{level:p}）由自助法得出。"
    "用同一个种子 {seed:d}，会得到同样的行和同样的数字。",
    "made.compared": "比较方法、检验保证，用的是其中 {rows:row}。",
    "made.unknown": "未知输入：{rows:row}。",
    "made.versions": "生成环境：{versions}。",
    "made.seconds": "用时：{parts}。",
    "made.part": "{part:part} {seconds:n2} 秒",
    "part.reading": "读取",
    "part.fitting": "拟合",
    "part.judging": "评判",
    "part.comparing": "比较",
    "part.promising": "检验保证",
}
