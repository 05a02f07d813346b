-- Each day's profit and loss, from revenue down to the contribution margin, with the last 7 and 28 days beside the 7 and 28
-- before them. Three margins, always by name: the model margin is what is left after the models, the gross margin after all
-- cost of goods sold, the contribution margin after variable costs too.
--
-- One row per day and currency. `active_customers` have calls on the day, `paying_customers` earn on the day. The sums over
-- days are NULL until the report has that many days. `cash_received` is what was paid on the day, beside what it earned: NULL where
-- no export says when anything was paid, in no margin; `cash_and_accrual` says how the two meet. `percent_of` is exact, rounded half to even at 6 places.
WITH customers AS (
    SELECT date, currency,
           sum(CASE WHEN calls > 0 THEN 1 ELSE 0 END) AS active_customers,
           sum(CASE WHEN revenue > 0 THEN 1 ELSE 0 END) AS paying_customers
    FROM margin_by_customer
    WHERE customer_id NOT LIKE '(%'
    GROUP BY date, currency
),
-- Days on which something was earned, spent or paid.
margins AS (
    SELECT every_day.date, every_day.currency,
           coalesce(revenue, 0) AS revenue,
           coalesce(model_cost, 0) AS model_cost,
           coalesce(model_margin, 0) AS model_margin,
           model_margin_pct,
           coalesce(other_cogs, 0) AS other_cogs,
           coalesce(gross_margin, 0) AS gross_margin,
           gross_margin_pct,
           CASE WHEN margin_daily.date IS NULL THEN 0 ELSE gross_margin_low END AS gross_margin_low,
           coalesce(variable_cost, 0) AS variable_cost,
           coalesce(contribution_margin, 0) AS contribution_margin,
           contribution_margin_pct,
           coalesce(not_cogs_cost, 0) AS not_cogs_cost,
           coalesce(calls, 0) AS calls,
           CASE WHEN margin_daily.date IS NULL THEN 0 ELSE input_tokens END AS input_tokens,
           CASE WHEN margin_daily.date IS NULL THEN 0 ELSE output_tokens END AS output_tokens,
           coalesce(unpriced_calls, 0) AS unpriced_calls,
           coalesce(cost_status, 'no_usage') AS cost_status
    FROM (SELECT date, currency FROM margin_daily UNION SELECT date, currency FROM cash_daily) AS every_day
    LEFT JOIN margin_daily ON margin_daily.date = every_day.date AND margin_daily.currency = every_day.currency
),
days AS (
    SELECT margins.*, CAST(date AS INT) - CAST(from_date AS INT) AS days_before
    FROM margins CROSS JOIN (SELECT from_date FROM report_scope) AS scope
),
windows AS (
    SELECT *,
           sum(revenue) OVER last_7 AS revenue_7d,
           sum(revenue) OVER before_7 AS revenue_7d_before,
           sum(model_cost + other_cogs) OVER last_7 AS cogs_7d,
           sum(model_cost + other_cogs) OVER before_7 AS cogs_7d_before,
           sum(revenue) OVER last_28 AS revenue_28d,
           sum(revenue) OVER before_28 AS revenue_28d_before,
           sum(model_cost + other_cogs) OVER last_28 AS cogs_28d,
           sum(model_cost + other_cogs) OVER before_28 AS cogs_28d_before
    FROM days
    WINDOW last_7 AS (PARTITION BY currency ORDER BY days_before RANGE BETWEEN 6 PRECEDING AND CURRENT ROW),
           before_7 AS (PARTITION BY currency ORDER BY days_before RANGE BETWEEN 13 PRECEDING AND 7 PRECEDING),
           last_28 AS (PARTITION BY currency ORDER BY days_before RANGE BETWEEN 27 PRECEDING AND CURRENT ROW),
           before_28 AS (PARTITION BY currency ORDER BY days_before RANGE BETWEEN 55 PRECEDING AND 28 PRECEDING)
)
SELECT windows.date, windows.currency, revenue, model_cost, model_margin, model_margin_pct, other_cogs,
       gross_margin, gross_margin_pct, gross_margin_low,
       variable_cost, contribution_margin, contribution_margin_pct, not_cogs_cost,
       calls, input_tokens, output_tokens, unpriced_calls, cost_status,
       coalesce(active_customers, 0) AS active_customers,
       coalesce(paying_customers, 0) AS paying_customers,
       CASE WHEN days_before >= 6 THEN revenue_7d END AS revenue_7d,
       CASE WHEN days_before >= 13 THEN coalesce(revenue_7d_before, 0) END AS revenue_7d_before,
       CASE WHEN days_before >= 6 THEN cogs_7d END AS cogs_7d,
       CASE WHEN days_before >= 13 THEN coalesce(cogs_7d_before, 0) END AS cogs_7d_before,
       CASE WHEN days_before >= 6 THEN revenue_7d - cogs_7d END AS gross_margin_7d,
       CASE WHEN days_before >= 13
            THEN coalesce(revenue_7d_before, 0) - coalesce(cogs_7d_before, 0) END AS gross_margin_7d_before,
       CASE WHEN days_before >= 27 THEN revenue_28d END AS revenue_28d,
       CASE WHEN days_before >= 55 THEN coalesce(revenue_28d_before, 0) END AS revenue_28d_before,
       CASE WHEN days_before >= 27 THEN cogs_28d END AS cogs_28d,
       CASE WHEN days_before >= 55 THEN coalesce(cogs_28d_before, 0) END AS cogs_28d_before,
       CASE WHEN days_before >= 27 THEN revenue_28d - cogs_28d END AS gross_margin_28d,
       CASE WHEN days_before >= 55
            THEN coalesce(revenue_28d_before, 0) - coalesce(cogs_28d_before, 0) END AS gross_margin_28d_before,
       CASE WHEN known.days > 0 THEN coalesce(cash_daily.cash_received, 0) END AS cash_received
FROM windows
CROSS JOIN (SELECT count(*) AS days FROM cash_daily) AS known
LEFT JOIN cash_daily ON cash_daily.date = windows.date AND cash_daily.currency = windows.currency
LEFT JOIN customers ON customers.date = windows.date AND customers.currency = windows.currency
ORDER BY windows.date, windows.currency
