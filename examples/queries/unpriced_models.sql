-- Models that cost money nobody knows of: every row here is a hole in the margins.
-- Close it with a [[price]] or a [[deployment]] in marginlake.toml; it holds for calls collected from then on.
select
    provider,
    coalesce(response_model, request_model) as model,
    price_status,
    count(*) as calls,
    sum(coalesce(input_uncached, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0) + coalesce(cache_write_1h, 0)) as input_tokens,
    sum(coalesce(output_text, 0) + coalesce(output_reasoning, 0)) as output_tokens,
    min(start_time) as first_seen,
    max(start_time) as last_seen
from calls
where price_status not in ('priced', 'free')
group by 1, 2, 3
order by calls desc, model
