"""What a backfill would take, before it runs: nothing is asked, nothing is written."""
