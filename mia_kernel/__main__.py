"""`python -m mia_kernel ...` and `mia ...`: make sure of the environment, then speak.

Parsed by old Pythons too (see bootstrap.py), so only plain syntax here.
"""

import sys

from mia_kernel import bootstrap


def main(arguments=None):
    """Run one command and return its exit code (0 done, 1 the answer is no, 2 bad input, 3 outside failure)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    code = bootstrap.main(arguments)
    if code is not None:
        return code
    # Late on purpose: cli needs packages that bootstrap has only now made sure of.
    from mia_kernel import cli

    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
