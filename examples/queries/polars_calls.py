"""The lake from Polars.

    pip install polars deltalake
    python polars_calls.py LAKE
"""

import sys

import polars as pl


def known_sum(column: str) -> pl.Expr:
    """The sum of what is known, and NULL where nothing is. Polars' own sum makes 0 of nothing but NULLs, and an unpriced
    customer would look free."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column)


def main(lake: str) -> None:
    calls = pl.scan_delta(f"{lake}/calls")
    by_customer = (
        calls.filter(pl.col("cost_class") == "model")
        .group_by(pl.col("customer_id").fill_null("(unattributed)"))
        .agg(
            pl.len().alias("calls"),
            known_sum("cost_usd"),
            pl.col("cost_usd").null_count().alias("calls_without_cost"),
        )
        .sort("cost_usd", "customer_id", descending=[True, False], nulls_last=True)
    )
    # Money stays exact: cost_usd is Decimal(38, 12). Do not cast it to a float before the sums are done.
    with pl.Config(tbl_rows=50):
        print(by_customer.collect())


if __name__ == "__main__":
    main(sys.argv[1])
