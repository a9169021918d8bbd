"""``python -m benchmarks NAME``. Workers import this module too, and load nothing of the command line."""

if __name__ == "__main__":
    from benchmarks.app import app

    app(prog_name="python -m benchmarks")
