-- Who is only on one side of the customer join: money without calls, and calls without money, the largest first.
--
-- One row per side, currency and customer, over the report's days; the 100 largest of each side. `revenue_without_calls` are
-- customers that pay and made no model call: `amount` is their revenue. `cost_without_revenue` are customers that made calls and
-- earn nothing: `amount` is their cost of goods sold, as far as known. `(unmatched)` is revenue whose lines name nobody,
-- `(unattributed)` calls that name nobody. A free user belongs here by right; a paying one goes by two names: --customer-map.
-- How much of all money is matched stands in `data_quality`, both ways.
WITH sums AS (
    SELECT customer_id, currency,
           sum(revenue) AS revenue,
           sum(model_cost + other_cogs) AS cost,
           sum(calls) AS calls,
           sum(unpriced_calls) AS unpriced_calls
    FROM margin_by_customer
    WHERE customer_id NOT IN ('(no rate)', '(unallocated)')
    GROUP BY customer_id, currency
),
sides AS (
    SELECT 'revenue_without_calls' AS side, customer_id, currency, revenue AS amount, calls, unpriced_calls
    FROM sums
    WHERE calls = 0 AND revenue > 0
    UNION ALL
    SELECT 'cost_without_revenue', customer_id, currency, cost, calls, unpriced_calls
    FROM sums
    WHERE revenue = 0 AND (cost > 0 OR unpriced_calls > 0)
),
places AS (
    SELECT *, row_number() OVER (PARTITION BY side, currency ORDER BY amount DESC, customer_id) AS place
    FROM sides
)
SELECT scope.date, scope.from_date, side, place, customer_id, currency, amount, calls, unpriced_calls
FROM places CROSS JOIN (SELECT date, from_date FROM report_scope) AS scope
WHERE place <= 100
ORDER BY side DESC, currency, place
