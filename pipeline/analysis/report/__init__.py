"""The report: tables and answers in, one HTML page out, with everything that it shows inside."""
