-- How much of the input came from the provider's prompt cache, by model, and what cached tokens would have cost at the full
-- input rate. Calls whose telemetry does not say (cache_read is NULL) are left out of the share and counted on their own.
select
    provider,
    coalesce(response_model, request_model) as model,
    count(*) filter (where cache_read is not null) as calls,
    count(*) filter (where cache_read is null) as calls_that_do_not_say,
    sum(cache_read) as cached_tokens,
    round(
        100.0 * sum(cache_read)
        / nullif(sum(
            coalesce(input_uncached, 0) + cache_read + coalesce(cache_write_5m, 0) + coalesce(cache_write_1h, 0)
        ) filter (where cache_read is not null), 0),
        1
    ) as cached_percent
from calls
where cost_class = 'model'
group by 1, 2
order by cached_tokens desc nulls last, model
