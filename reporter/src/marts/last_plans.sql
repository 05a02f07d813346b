-- The plan of each customer: the one that earned most from it in the last month in which any plan did.
SELECT customer_id, plan
FROM (
    SELECT customer_id, plan, row_number() OVER (PARTITION BY customer_id ORDER BY month DESC) AS place
    FROM customer_plans
) AS months
WHERE place = 1
