from bench import rows_box


def test_the_rows_of_grants_are_measured_and_told() -> None:
    rows = rows_box.grants(0.02)
    assert [row["name"] for row in rows] == list(rows_box.ABOUT)
    assert all(row["ours"] > 0 and row["limit"] > 0 for row in rows)
