"""`python -m stress`: the same as the `pfnstorm` command."""

from pfnstorm import main

if __name__ == "__main__":
    main()
