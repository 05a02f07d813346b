-- What one customer, user, conversation and task costs: the average hides the whale, so here is the distribution.
--
-- One row per unit and currency, over the report's days. A cost is the cost of goods sold, as far as known; units of which
-- nothing is known are left out, and `units_with_unpriced_calls` says of how many the cost is a lower bound. Percentiles are
-- by nearest rank: each is the cost of a unit that exists. `top_N_pct` is the share of all cost that the dearest N % of units
-- have. `break_even_price` is what a unit must earn to cost nothing, `price_at_target` what it must earn to leave the target
-- margin: cost / (1 - target), on average and at the 90th percentile. `below_zero` units cost more than they earn and lose
-- `lost_amount`; `below_target` units earn less than the target asks and are short of `short_of_target_amount`.
WITH lines AS (
    SELECT 'customer' AS unit, customer_id AS key, currency, revenue, model_cost + other_cogs AS cost, unpriced_calls, cost_status
    FROM margin_by_customer
    UNION ALL
    SELECT 'user', user_id, currency, revenue, model_cost + other_cogs, unpriced_calls, cost_status FROM margin_by_user
    UNION ALL
    SELECT 'conversation', conversation_id, currency, revenue, model_cost + other_cogs, unpriced_calls, cost_status
    FROM margin_by_conversation
    UNION ALL
    SELECT 'task', task_id, currency, revenue, model_cost + other_cogs, unpriced_calls, cost_status FROM margin_by_task
),
keys AS (
    SELECT unit, key, currency, sum(revenue) AS revenue, sum(cost) AS cost, sum(unpriced_calls) AS unpriced_calls,
           max(CASE WHEN cost_status IN ('known', 'lower_bound') THEN 1 ELSE 0 END) AS is_known
    FROM lines
    WHERE key NOT LIKE '(%'
    GROUP BY unit, key, currency
    HAVING max(CASE WHEN cost_status <> 'no_usage' THEN 1 ELSE 0 END) = 1
),
ranked AS (
    SELECT keys.*, date, from_date, target_margin_pct, margin_left,
           CASE WHEN is_known = 1 THEN amount_times(cost, 100000000, margin_left) END AS target_revenue,
           row_number() OVER (PARTITION BY unit, keys.currency, is_known ORDER BY cost, key) AS place,
           sum(is_known) OVER (PARTITION BY unit, keys.currency) AS units
    FROM keys CROSS JOIN report_scope
),
sums AS (
    SELECT date, from_date, unit, currency, target_margin_pct, margin_left,
           sum(is_known) AS units,
           sum(CASE WHEN unpriced_calls > 0 THEN 1 ELSE 0 END) AS units_with_unpriced_calls,
           sum(CASE WHEN is_known = 1 THEN cost END) AS total_cost,
           sum(CASE WHEN is_known = 1 THEN revenue END) AS total_revenue,
           max(CASE WHEN is_known = 1 AND place = (units * 50 + 99) / 100 THEN cost END) AS p50_cost,
           max(CASE WHEN is_known = 1 AND place = (units * 90 + 99) / 100 THEN cost END) AS p90_cost,
           max(CASE WHEN is_known = 1 AND place = (units * 95 + 99) / 100 THEN cost END) AS p95_cost,
           max(CASE WHEN is_known = 1 AND place = (units * 99 + 99) / 100 THEN cost END) AS p99_cost,
           sum(CASE WHEN is_known = 1 AND place > units - (units * 1 + 99) / 100 THEN cost END) AS top_1,
           sum(CASE WHEN is_known = 1 AND place > units - (units * 5 + 99) / 100 THEN cost END) AS top_5,
           sum(CASE WHEN is_known = 1 AND place > units - (units * 10 + 99) / 100 THEN cost END) AS top_10,
           sum(CASE WHEN is_known = 1 AND revenue < cost THEN 1 ELSE 0 END) AS below_zero,
           coalesce(sum(CASE WHEN is_known = 1 AND revenue < cost THEN cost - revenue END), 0) AS lost_amount,
           sum(CASE WHEN revenue < target_revenue THEN 1 ELSE 0 END) AS below_target,
           coalesce(sum(CASE WHEN revenue < target_revenue THEN target_revenue - revenue END), 0) AS short_of_target_amount
    FROM ranked
    GROUP BY date, from_date, unit, currency, target_margin_pct, margin_left
)
SELECT date, from_date, unit, currency, units, units_with_unpriced_calls,
       amount_times(total_cost, 1, units) AS mean_cost,
       p50_cost, p90_cost, p95_cost, p99_cost,
       coalesce(percent_of(top_1, total_cost), 0) AS top_1_pct,
       coalesce(percent_of(top_5, total_cost), 0) AS top_5_pct,
       coalesce(percent_of(top_10, total_cost), 0) AS top_10_pct,
       below_zero,
       lost_amount,
       total_cost,
       total_revenue,
       amount_times(total_revenue, 1, units) AS mean_revenue,
       target_margin_pct,
       below_target,
       short_of_target_amount,
       amount_times(total_cost, 1, units) AS break_even_price,
       amount_times(amount_times(total_cost, 1, units), 100000000, margin_left) AS price_at_target,
       amount_times(p90_cost, 100000000, margin_left) AS price_at_target_p90
FROM sums
WHERE units > 0
ORDER BY CASE unit WHEN 'customer' THEN 1 WHEN 'user' THEN 2 WHEN 'conversation' THEN 3 ELSE 4 END, currency
