-- The lake from DuckDB's own command line, by its `delta` extension (the first lines download it once). Put your lake's path
-- below, then:
--
--   duckdb < duckdb.sql
--
-- delta_scan reads the table's log and so sees each call once. Do not read the folder with a glob (calls/**/*.parquet):
-- between a rewrite and the next clean-up that also finds the files that were replaced, and counts calls twice.
install delta;
load delta;
create view calls as select * from delta_scan('file:///var/lib/marginlake/lake/calls');

-- Money stays exact: cost_usd is DECIMAL(38,12), and its sum is too. Avoid avg(), which goes through a float.
select
    coalesce(customer_id, '(unattributed)') as customer,
    count(*) as calls,
    sum(cost_usd) as cost_usd,
    count(*) filter (where cost_usd is null) as calls_without_cost
from calls
where cost_class = 'model'
group by all
order by cost_usd desc nulls last, customer;
