-- What a seat earns and costs on a day: seats that are paid for beside seats that somebody used.
--
-- One row per customer, plan and currency with lines that name seats, over the report's days. `seat_days` are seats times days,
-- less those given back; `active_seat_days` are users with a model call on a day. Revenue per seat-day is over assigned seats,
-- `revenue_per_active_seat_day` over used ones: say which you quote. `cost` is the customer's cost of goods sold, all plans together.
WITH seats AS (
    SELECT customer_id, plan, currency, seat_days, seat_revenue
    FROM subscribers
    WHERE seat_days <> 0 OR seat_revenue <> 0
),
active AS (
    SELECT customer_id, count(DISTINCT user_id) AS active_users, count(*) AS active_seat_days
    FROM (
        SELECT DISTINCT customer_id, user_id, date
        FROM seat_facts
        WHERE user_id NOT LIKE '(%' AND customer_id IN (SELECT customer_id FROM seats)
    ) AS days
    GROUP BY customer_id
),
costs AS (
    SELECT customer_id, currency, sum(model_cost + other_cogs) AS cost
    FROM margin_by_customer
    WHERE customer_id IN (SELECT customer_id FROM seats)
    GROUP BY customer_id, currency
)
SELECT scope.date, scope.from_date, seats.customer_id, seats.plan, seats.currency, seat_days,
       coalesce(active_users, 0) AS active_users,
       coalesce(active_seat_days, 0) AS active_seat_days,
       percent_of(CAST(coalesce(active_seat_days, 0) AS DECIMAL(38, 12)), CAST(seat_days AS DECIMAL(38, 12))) AS active_pct,
       seat_revenue AS revenue,
       coalesce(cost, 0) AS cost,
       amount_times(seat_revenue, 1, seat_days) AS revenue_per_seat_day,
       amount_times(seat_revenue, 1, coalesce(active_seat_days, 0)) AS revenue_per_active_seat_day,
       amount_times(coalesce(cost, 0), 1, seat_days) AS cost_per_seat_day,
       amount_times(coalesce(cost, 0), 1, coalesce(active_seat_days, 0)) AS cost_per_active_seat_day
FROM seats
LEFT JOIN active ON active.customer_id = seats.customer_id
LEFT JOIN costs ON costs.customer_id = seats.customer_id AND costs.currency = seats.currency
CROSS JOIN (SELECT date, from_date FROM report_scope) AS scope
ORDER BY seats.customer_id, seats.plan, seats.currency
