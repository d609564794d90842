"""PromQL's functions by what they do to labels (prometheus/prometheus, promql/functions.go).

One that is not here may do anything.
"""

# Every output series has the labels of the one series it comes from, but for the metric's name.
_KEEPING = """
    abs acos acosh asin asinh atan atanh ceil clamp clamp_max clamp_min cos cosh day_of_month
    day_of_week day_of_year days_in_month deg exp floor histogram_avg histogram_count
    histogram_stddev histogram_stdvar histogram_sum hour ln log10 log2 minute month rad round sgn
    sin sinh sort sort_by_label sort_by_label_desc sort_desc sqrt tan tanh timestamp year
    changes delta deriv double_exponential_smoothing holt_winters idelta increase irate
    predict_linear rate resets
    avg_over_time count_over_time first_over_time last_over_time mad_over_time max_over_time
    min_over_time present_over_time quantile_over_time stddev_over_time stdvar_over_time
    sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time
    ts_of_min_over_time
"""
KEEPING = frozenset(_KEEPING.split())

# As those, without the bucket's bound.
BUCKETS = frozenset(("histogram_quantile", "histogram_fraction"))

# No labels at all.
BARE = frozenset(("pi", "scalar", "time", "vector"))

ABSENCE = frozenset(("absent", "absent_over_time"))

# Aggregations that pick some of the series, and change none of their labels.
PICKING = frozenset(("topk", "bottomk", "limitk", "limit_ratio"))

SCALARS = frozenset(("pi", "scalar", "time"))
