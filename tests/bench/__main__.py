"""`python -m tests.bench`."""

from tests.bench.relay import main

if __name__ == "__main__":
    main()
