-- The most that a token of any priced model costs on average in the report: the bound of what an unpriced token may cost.
SELECT currency, cost, tokens
FROM (
    SELECT currency, model, cost, tokens,
           row_number() OVER (PARTITION BY currency ORDER BY amount_times(cost, 1000000, tokens) DESC, model) AS place
    FROM (
        SELECT currency, model, sum(model_cost) AS cost,
               coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0) - sum(unpriced_tokens) AS tokens
        FROM call_cells
        GROUP BY currency, model
    ) AS models
    WHERE cost > 0 AND tokens > 0
) AS ranked
WHERE place = 1
