-- What the money went for: fresh input, cached input, cache writes, output, reasoning. From the receipt of every call.
select
    line['unit'] as unit,
    sum(line['quantity']) as quantity,
    sum(line['amount']) as amount_usd
from (select unnest(cost_lines) as line from calls where cost_class = 'model')
group by 1
order by amount_usd desc
