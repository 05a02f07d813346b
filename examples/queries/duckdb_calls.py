"""The lake from DuckDB in Python, without the `delta` extension: the `deltalake` package says which files are the table.

    pip install duckdb deltalake
    python duckdb_calls.py LAKE
"""

import sys

import duckdb
from deltalake import DeltaTable


def main(lake: str) -> None:
    files = DeltaTable(f"{lake}/calls").file_uris()
    connection = duckdb.connect()
    # `date` is the table's partition: it stands in the folders' names, not in the files.
    connection.read_parquet(files, hive_partitioning=True, union_by_name=True).create_view("calls")
    print(
        connection.sql(
            """
            select
                coalesce(customer_id, '(unattributed)') as customer,
                count(*) as calls,
                sum(cost_usd) as cost_usd,
                count(*) filter (where cost_usd is null) as calls_without_cost
            from calls
            where cost_class = 'model'
            group by all
            order by cost_usd desc nulls last, customer
            """
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
